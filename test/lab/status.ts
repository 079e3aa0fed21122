import { memoryInUse } from './cgroups.ts'
import { hasRemains } from './cleanup.ts'
import { kubectl } from './control-plane.ts'
import { readRecord } from './info.ts'
import { deadProcesses } from './processes.ts'

export interface LabStatus {
  readonly state: 'running' | 'unwell' | 'down'
  readonly problems: readonly string[]
  readonly memoryMiB?: number
}

async function problems(): Promise<string[]> {
  if ((await readRecord()) === undefined) return ['an `up` was cut off before its end']
  const dead = (await deadProcesses()).map((name) => `process ${name} is gone`)
  if (dead.length > 0) return dead
  try {
    const unready = await kubectl('get', 'nodes', '--request-timeout=5s', '-o',
      'jsonpath={range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}')
    return unready.split(' ').filter((node) => node !== '' && !node.endsWith('=True')).map((node) => `node not ready: ${node}`)
  } catch {
    return ['the API server does not answer']
  }
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

export const isHealthy = async (): Promise<boolean> => (await labStatus()).state === 'running'
