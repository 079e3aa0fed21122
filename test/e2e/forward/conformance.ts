import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { extraTool } from '../../lab/tools.ts'
import { run } from '../cluster.ts'

/** Status (`passed`, `failure`, `skipped`) by the name of the case. */
export type Cases = ReadonlyMap<string, string>

/** The OCI distribution conformance suite against `localhost:PORT`, in two repositories. `prefix` runs it elsewhere. */
export async function conformance(
  port: number,
  repositories: readonly [string, string],
  prefix: readonly string[] = [],
): Promise<Cases> {
  const results = await mkdtemp(join(tmpdir(), 'regctl-conformance-'))
  try {
    const { stdout, stderr } = await run([...prefix, await extraTool('conformance')], {
      env: {
        OCI_REGISTRY: `localhost:${port}`,
        OCI_TLS: 'disabled',
        OCI_REPO1: repositories[0],
        OCI_REPO2: repositories[1],
        OCI_RESULTS_DIR: results,
        OCI_VERSION: '1.1',
      },
    })
    const report = await readFile(join(results, 'junit.xml'), 'utf8').catch(() => '')
    const cases = new Map(casesOf(report))
    if (cases.size < 100) throw new Error(`the conformance suite told of ${cases.size} cases\n${stdout}\n${stderr}`)
    return cases
  } finally {
    await rm(results, { recursive: true, force: true })
  }
}

/** Names carry digests of random content. Many come more than once, in an order that changes: then by status. */
function casesOf(report: string): readonly (readonly [string, string])[] {
  const all = [...report.matchAll(/<testcase name="([^"]*)"[^>]* status="([^"]*)"/g)]
  const byName = Map.groupBy(all, ([, name = '']) => name.replace(/[0-9a-f]{32,}/g, '…'))
  return [...byName].flatMap(([name, cases]) =>
    cases
      .map(([, , status = '']) => status)
      .sort()
      .map((status, index) => [index === 0 ? name : `${name} (${index + 1})`, status] as const),
  )
}

/** The cases that came out otherwise than in `before`, with both. */
export function differences(before: Cases, after: Cases): readonly string[] {
  const names = new Set([...before.keys(), ...after.keys()])
  return [...names]
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => `${name}: ${before.get(name) ?? 'absent'}, now ${after.get(name) ?? 'absent'}`)
}
