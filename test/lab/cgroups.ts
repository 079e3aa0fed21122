import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

/** Every process of the lab lives below this cgroup: that is how `down` finds all of them, and nobody else's. */
const tree = 'regctl-lab'

/** Mount points of all hierarchies: one on cgroup v2, one per controller on v1. */
const hierarchies: readonly string[] = readFileSync('/proc/mounts', 'utf8')
  .split('\n')
  .map((line) => line.split(' '))
  .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
  .map(([, mountPoint]) => mountPoint ?? '')

const memory = hierarchies.find((path) => path.endsWith('/memory')) ?? hierarchies[0] ?? '/sys/fs/cgroup'

/** Where the lab's own processes (not its containers) are put; the memory hierarchy also measures them. */
export const processGroup = join(memory, tree, 'host')

/** The kubelet's root for its pods; it must exist in every hierarchy before the kubelet starts. */
export const nodeGroup = (node: string): string => `/${tree}/${node}`

export async function createGroups(nodes: readonly string[]): Promise<void> {
  await mkdir(processGroup, { recursive: true })
  for (const hierarchy of hierarchies) {
    for (const node of nodes) await mkdir(join(hierarchy, nodeGroup(node)), { recursive: true })
    for (const group of [tree, ...nodes.map(nodeGroup)]) await weigh(join(hierarchy, group))
  }
}

/**
 * Pods weigh as much as all processors of a machine, which they have to themselves elsewhere: on each processor as much as one
 * process beside them. By default they have that weight on all processors together, and wait for a client or the API server.
 */
async function weigh(group: string): Promise<void> {
  for (const [file, ofOne, most] of [
    ['cpu.shares', 1024, 262_144],
    ['cpu.weight', 100, 10_000],
  ] as const) {
    const weight = Math.min(availableParallelism() * ofOne, most)
    if (existsSync(join(group, file))) await writeFile(join(group, file), String(weight))
  }
}

/** Bytes that the whole lab holds, page cache aside. */
export function memoryInUse(): number | undefined {
  const stat = join(memory, tree, 'memory.stat')
  if (!existsSync(stat)) return undefined
  const value = (name: string): number =>
    Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(readFileSync(stat, 'utf8'))?.[1] ?? 0)
  return value('total_rss') || value('anon')
}

/** A group that vanishes while being read has none. */
function childrenOf(group: string): string[] {
  try {
    const entries = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return entries.map(({ name }) => join(group, name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function groups(root: string): string[] {
  const below = (directory: string): string[] => [...childrenOf(directory).flatMap(below), directory]
  return hierarchies
    .map((path) => join(path, root))
    .filter((path) => existsSync(path))
    .flatMap(below)
}

/** Ids of all processes in the tree, containers included. A group that vanishes while being read has none. */
export function processesInTree(): number[] {
  const ids = groups(tree).flatMap((group) => {
    try {
      return readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
    } catch {
      return []
    }
  })
  return [...new Set(ids)].filter((id) => id > 0)
}

/** Deepest first; a group is busy for a moment after its last process has gone. */
export function removeGroups(root: string = tree): boolean {
  for (const group of groups(root)) {
    try {
      rmdirSync(group)
    } catch {
      // Tried again by the caller.
    }
  }
  return hierarchies.every((path) => !existsSync(join(path, root)))
}
