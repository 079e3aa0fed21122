import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kubectlOk, labOnly } from './cluster.ts'
import { developerOf } from './developers/stage.ts'
import { type Cases, conformance, differences } from './forward/conformance.ts'
import { kubeconfigOf } from './forward/developer.ts'
import { onRegistry } from './forward/loopback.ts'
import { MODES, serve } from './forward/modes.ts'

const TEAM = 'e2e-conformance'
const PORT = 5120

let directory: string
let ada: string
let own: Cases

/** Fresh ones for each run: what the suite finds there counts. */
const repositories = (name: string) => [`team/${name}-one`, `team/${name}-two`] as const

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regctl-conformance-'))
  await developerOf(TEAM)
  ada = await kubeconfigOf(directory, 'ada@example.org', TEAM)
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM])
  await rm(directory, { recursive: true, force: true })
})

labOnly("the registry's own loopback", async () => {
  own = await conformance(5000, repositories('own'), await onRegistry())
})

/** Cases that fail where policies decide, each with the policy that refuses it. */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/\/(tag|manifest|blob)-delete( \(\d+\))?: passed, now failure$/, 'DENY fence: nobody deletes'],
]

test.each(MODES)('$name: the same cases', async (mode) => {
  await using _forward = await serve(mode, PORT, ada)
  const found = await conformance(PORT, repositories(mode.name.replaceAll(/\W+/g, '-').toLowerCase()))
  const others = differences(own, found)
  const refused = others.filter((one) => mode.policed && REFUSED.some(([pattern]) => pattern.test(one)))
  expect(others.filter((one) => !refused.includes(one))).toEqual([])
  // A policy that refused nothing would be none.
  expect(refused.length > 0).toBe(mode.policed)
})
