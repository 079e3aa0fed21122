import { addonNamespaces } from './addons.ts'
import { memoryInUse } from './cgroups.ts'
import { hasRemains } from './cleanup.ts'
import { until } from './command.ts'
import { kubectl } from './control-plane.ts'
import { readRecord } from './info.ts'
import { deadProcesses } from './processes.ts'

export interface LabStatus {
  readonly state: 'running' | 'unwell' | 'down'
  readonly problems: readonly string[]
  readonly memoryMiB?: number
}

/** What stays as it is until the lab is started anew. */
async function lasting(): Promise<string[]> {
  if ((await readRecord()) === undefined) return ['an `up` was cut off before its end']
  return (await deadProcesses()).map((name) => `process ${name} is gone`)
}

/** What the cluster itself may still put right. */
async function passing(): Promise<string[]> {
  const column = async (namespace: string, kind: string, jsonpath: string): Promise<string[]> => {
    const template = `jsonpath={range .items[*]}{.metadata.name}=${jsonpath} {end}`
    const text = await kubectl('-n', namespace, 'get', kind, '--request-timeout=5s', '-o', template)
    return text.split(' ').filter(Boolean)
  }
  const condition = (type: string): string => `{.status.conditions[?(@.type=="${type}")].status}`
  try {
    const [nodes, ...deployments] = await Promise.all([
      column('default', 'nodes', condition('Ready')),
      ...addonNamespaces.map((namespace) => column(namespace, 'deployments', condition('Available'))),
    ])
    return [
      ...nodes.filter((node) => !node.endsWith('=True')).map((node) => `node not ready: ${node}`),
      ...deployments
        .flat()
        .filter((name) => !name.endsWith('=True'))
        .map((name) => `deployment not available: ${name}`),
    ]
  } catch {
    return ['the API server does not answer']
  }
}

const problems = async (): Promise<string[]> => {
  const found = await lasting()
  return found.length > 0 ? found : passing()
}

export async function labStatus(): Promise<LabStatus> {
  if (!hasRemains()) return { state: 'down', problems: [] }
  const found = await problems()
  const memory = memoryInUse()
  return {
    state: found.length === 0 ? 'running' : 'unwell',
    problems: found,
    ...(memory === undefined ? {} : { memoryMiB: Math.round(memory / 2 ** 20) }),
  }
}

/** Whether the lab is well, or becomes so by itself soon. */
export async function heals(): Promise<boolean> {
  if (!hasRemains() || (await lasting()).length > 0) return false
  return until('the lab is well', async () => (await passing()).length === 0, 30).then(
    () => true,
    () => false,
  )
}
