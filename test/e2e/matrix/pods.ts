import { apply, pod, ready } from '../attacks/kit.ts'
import { kubectl, type Run } from '../cluster.ts'

/** A pod of a granted namespace in which this machine's programs run, on the pod's own network. */
export async function workshop(namespace: string, name: string): Promise<void> {
  await apply(
    pod(namespace, name, {
      spec: { volumes: [{ name: 'machine', hostPath: { path: '/' } }] },
      container: {
        securityContext: { privileged: true },
        volumeMounts: [{ name: 'machine', mountPath: '/machine' }],
      },
    }),
  )
  await ready(namespace, name)
}

/** Runs a program of this machine's in there. */
export function inWorkshop(
  namespace: string,
  name: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const variables = Object.entries({ PATH: process.env.PATH ?? '', ...env }).map(([key, value]) => `${key}=${value}`)
  const all = ['chroot', '/machine', '/usr/bin/env', '-i', ...variables, ...argv]
  return kubectl(['exec', '-n', namespace, name, '-c', 'main', '--', ...all], { timeout: 120_000 })
}

/** The kubelet pulls the image by its digest and the pod runs. */
export async function pulls(namespace: string, name: string, image: string): Promise<void> {
  await apply(pod(namespace, name, { container: { image, imagePullPolicy: 'Always', command: undefined } }))
  await ready(namespace, name)
}
