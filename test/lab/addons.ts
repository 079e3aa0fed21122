import { join } from 'node:path'
import { run } from './command.ts'
import { kubectl } from './control-plane.ts'
import { kubeconfig, source, tools } from './paths.ts'
import { start } from './processes.ts'

const manifest = (name: string): string => join(source, 'manifests', `${name}.yaml`)

export async function installStorage(): Promise<void> {
  await kubectl('apply', '-f', manifest('storage-class'))
  await start('provisioner', [process.execPath, join(source, 'provisioner.ts')])
}

export async function installDns(): Promise<void> {
  await kubectl('apply', '-f', manifest('coredns'))
  await kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=60s')
}

export async function installIstio(): Promise<void> {
  await run([join(tools, 'istioctl'), 'install', '--kubeconfig', kubeconfig, '-y', '-f', manifest('istio'), '--readiness-timeout', '90s'])
}

export const waitForNodes = async (): Promise<void> => {
  await kubectl('wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=60s')
}
