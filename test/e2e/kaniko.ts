import { expect } from 'vitest'
import { apply, pod, remove } from './attacks/kit.ts'
import { getJson } from './clients.ts'
import { eventually, kubectl } from './cluster.ts'
import { images } from './images.ts'

export type Build = { readonly succeeded: boolean; readonly digest: string; readonly log: string }

type Job = { readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] } }
type Pods = {
  readonly items: readonly {
    readonly status: {
      readonly containerStatuses?: readonly {
        readonly name: string
        readonly state: { readonly terminated?: { readonly message?: string } }
      }[]
    }
  }[]
}

/** Builds `FROM scratch`, or another image, with stock Kaniko in a Job and pushes; `text` makes the image one no node has yet. */
export async function build(
  namespace: string,
  name: string,
  destination: string,
  text: string,
  annotations: Readonly<Record<string, string>> = {},
  from = 'scratch',
): Promise<Build> {
  const dockerfile = [
    `FROM ${from}`,
    'COPY files /',
    'ENTRYPOINT ["/busybox", "sh", "-c", "/busybox cat /text; exec /busybox sleep 3600"]',
  ]
  const { spec: client } = pod(namespace, name) as { spec: { containers: { image: string }[] } }
  // A musl busybox needs its loader beside it; a static one does not.
  const context = `mkdir -p /workspace/files/lib && cp -L /bin/busybox /workspace/files/busybox && (cp -L /lib/ld-musl-* /workspace/files/lib/ 2>/dev/null; true) && printf '%s\\n' "$DOCKERFILE" >/workspace/Dockerfile && printf '%s\\n' "$TEXT" >/workspace/files/text`
  await remove('job', [name], '-n', namespace)
  const workspace = [{ name: 'workspace', mountPath: '/workspace' }]
  await apply({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { namespace, name },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: 110,
      template: {
        metadata: { annotations },
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 1,
          initContainers: [
            {
              name: 'context',
              image: client.containers[0]?.image,
              imagePullPolicy: 'IfNotPresent',
              command: ['sh', '-c', context],
              env: [
                { name: 'DOCKERFILE', value: dockerfile.join('\n') },
                { name: 'TEXT', value: text },
              ],
              volumeMounts: workspace,
            },
          ],
          containers: [
            {
              name: 'kaniko',
              image: images.kaniko,
              imagePullPolicy: 'IfNotPresent',
              args: [
                '--context=dir:///workspace',
                `--destination=${destination}`,
                '--digest-file=/dev/termination-log',
                '--push-retry=0',
                '--force',
              ],
              volumeMounts: workspace,
            },
          ],
          volumes: [{ name: 'workspace', emptyDir: {} }],
        },
      },
    },
  })
  const outcome = await eventually(
    async () => {
      const { status } = await getJson<Job>('job', '-n', namespace, name)
      const over = status.conditions?.find((one) => one.status === 'True' && /^(Complete|Failed)$/.test(one.type))
      expect(over, `Job ${namespace}/${name} has not ended`).toBeDefined()
      return over?.type
    },
    { timeout: 115_000 },
  )
  const { items } = await getJson<Pods>('pods', '-n', namespace, '-l', `job-name=${name}`)
  const kaniko = items[0]?.status.containerStatuses?.find((one) => one.name === 'kaniko')
  const { stdout: log } = await kubectl(['logs', '-n', namespace, `job/${name}`, '-c', 'kaniko'])
  return { succeeded: outcome === 'Complete', digest: kaniko?.state.terminated?.message?.trim() ?? '', log }
}
