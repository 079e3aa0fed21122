import { join } from 'node:path'
import { run } from './command.ts'
import { kubectl } from './control-plane.ts'
import { inState, kubeconfig, source, tools } from './paths.ts'
import { start } from './processes.ts'

const manifest = (name: string): string => join(source, 'manifests', `${name}.yaml`)

export const addonNamespaces: readonly string[] = ['kube-system', 'istio-system']

export async function installStorage(): Promise<void> {
  await kubectl('apply', '-f', manifest('storage-class'))
  await start('provisioner', [process.execPath, join(source, 'provisioner.ts')])
}

export async function installDns(): Promise<void> {
  await kubectl('apply', '-f', manifest('coredns'))
  await telling('kube-system', kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=60s'))
}

export async function installIstio(): Promise<void> {
  const flags = ['--kubeconfig', kubeconfig, '-y', '-f', manifest('istio'), '--readiness-timeout', '90s']
  await telling('istio-system', run([join(tools, 'istioctl'), 'install', ...flags], { env: { HOME: inState('home') } }))
}

/** A failure with what the namespace's pods came to. */
async function telling(namespace: string, work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    const ask = (...args: string[]): Promise<string> => kubectl('-n', namespace, ...args).catch(String)
    const pods = await ask('get', 'pods', '-o', 'wide')
    const events = (await ask('get', 'events', '--sort-by=.lastTimestamp')).split('\n').slice(-8)
    throw new Error([error instanceof Error ? error.message : String(error), pods, ...events].join('\n'), {
      cause: error,
    })
  }
}

export const waitForNodes = async (): Promise<void> => {
  await kubectl('wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=60s')
}
