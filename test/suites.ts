import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Count = { readonly passed: number; readonly failed: number; readonly skipped: number }

export const nothing: Count = { passed: 0, failed: 0, skipped: 0 }

export const sum = (counts: readonly Count[]): Count => counts.reduce(add, nothing)

const add = (one: Count, other: Count): Count => ({
  passed: one.passed + other.passed,
  failed: one.failed + other.failed,
  skipped: one.skipped + other.skipped,
})

type Report = {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

const root = join(import.meta.dirname, '..')

/** Runs projects of vitest.config.ts and counts their tests; a file that does not load counts as one failure. */
export async function runSuites(projects: readonly string[], args: readonly string[] = []): Promise<Count> {
  const directory = mkdtempSync(join(tmpdir(), 'regctl-test-'))
  const file = join(directory, 'report.json')
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--passWithNoTests']
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const selected = projects.flatMap((project) => ['--project', project])
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      const argv = [...vitest, ...reporters, ...selected, ...args]
      const child = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
      child.on('error', reject)
      child.on('close', resolve)
    })
    const count = countOf(file)
    // A failure outside of any test, such as a lab that does not start or an unhandled rejection.
    return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function countOf(file: string): Count {
  let report: Report
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    return nothing
  }
  const unloaded = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.every((one) => one.status !== 'failed'),
  )
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}
