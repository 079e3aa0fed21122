import { expect } from 'vitest'
import type { Client } from '../clients.ts'
import { eventually, type Run, regctl } from '../cluster.ts'
import { Pulls } from './pulls.ts'

/** A new proxy on a busy node may take a while to be there. */
const A_NODES_OWN_MS = 15_000

/** Runs `regctl` while every node pulls: no node is without for long, and never two of them at once. */
export async function whilePulling(
  hosts: readonly Client[],
  image: readonly [string, string],
  argv: readonly string[],
  /** How long one node may go without. */
  most = A_NODES_OWN_MS,
): Promise<Run> {
  const pulls = hosts.map((host) => new Pulls(host, ...image))
  try {
    return await turned(pulls, argv, most)
  } finally {
    for (const one of pulls) await one[Symbol.asyncDispose]()
  }
}

async function turned(pulls: readonly Pulls[], argv: readonly string[], most: number): Promise<Run> {
  const served = (least: number) =>
    eventually(async () => expect(Math.min(...pulls.map((one) => one.served))).toBeGreaterThan(least), { every: 100 })
  await served(3)
  const result = await regctl(argv)
  await served(Math.max(...pulls.map((one) => one.served)))
  const outages = pulls.map((one) => one.outages)
  for (const { from, to, statuses } of outages.flat()) {
    expect(to - from, JSON.stringify(outages)).toBeLessThan(most)
    expect(statuses.filter((status) => !/^(000|503)$/.test(status))).toEqual([])
  }
  const [one = [], other = []] = outages
  const together = one.filter((a) => other.some((b) => a.from < b.to && b.from < a.to))
  expect(together, JSON.stringify(outages)).toEqual([])
  return result
}
