import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseSkaffold } from '../../src/domain/skaffold/config.ts'
import { editSkaffold, undoSkaffold } from '../../src/domain/skaffold/edit.ts'
import type { ProfileOptions } from '../../src/domain/skaffold/profile.ts'
import { meaningOf, withAdditions } from '../domain/skaffold/meaning.ts'
import { local, options } from '../domain/skaffold/options.ts'
import { lab } from './cluster.ts'
import { skaffoldBinary, skaffoldFiles } from './skaffold/corpus.ts'
import { notInCluster, type Outcome, registriesOff, withoutBuilder } from './skaffold/outcome.ts'

const directory = mkdtempSync(join(tmpdir(), 'regctl-corpus-'))
const MODES: Readonly<Record<string, ProfileOptions>> = {
  local,
  cluster: options,
  always: { ...options, activate: true },
  own: { ...options, cluster: { namespace: 'builds', labels: {}, annotations: {}, ownBuilder: true } },
}

let files: readonly string[]
let skaffold: string
const read = (file: string) => readFileSync(join(directory, file), 'utf8')

/** `skaffold diagnose --yaml-only`: what Skaffold makes of a file, or why it refuses it. */
async function diagnose(file: string, ...args: readonly string[]): Promise<Outcome> {
  const argv = ['diagnose', '--yaml-only', '--sync-remote-cache=never', '-f', basename(file), ...args]
  const { stdout, stderr, exitCode } = await execa(skaffold, argv, {
    cwd: dirname(join(directory, file)),
    env: { HOME: directory, KUBECONFIG: join(directory, 'kubeconfig'), SKAFFOLD_UPDATE_CHECK: 'false' },
    reject: false,
    stdin: 'ignore',
  })
  return exitCode === 0 ? { documents: meaningOf(stdout) } : { refusal: stderr }
}

/** A few at a time, in order. */
async function forEach<T>(given: readonly string[], ask: (file: string) => Promise<T>): Promise<Map<string, T>> {
  const results = new Map<string, T>()
  const queue = [...given]
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) results.set(file, await ask(file))
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return results
}

describe.skipIf(lab === undefined)('the public skaffold.yaml files', () => {
  beforeAll(async () => {
    files = await skaffoldFiles(directory)
    skaffold = await skaffoldBinary()
    const kubeconfig = { contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }], 'current-context': 'here' }
    writeFileSync(join(directory, 'kubeconfig'), JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...kubeconfig }))
  }, 900_000)
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test('are many', () => {
    expect(files.length).toBeGreaterThanOrEqual(150)
  })

  test.each(Object.entries(MODES))(
    '%s: right in meaning, only lines added, undone to the byte, done once',
    (_, wanted) => {
      let changed = 0
      for (const name of files) {
        const text = read(name)
        const edit = editSkaffold(parseSkaffold(name, text), [], wanted)
        const after = parseSkaffold(name, edit.text)
        expect(meaningOf(edit.text), name).toEqual(withAdditions(meaningOf(text), edit.additions))
        expect(onlyLinesAdded(text, edit.text), name).toBe(true)
        expect(undoSkaffold(after, edit.additions), name).toBe(text)
        expect(editSkaffold(after, edit.additions, wanted).text, name).toBe(edit.text)
        expect(editSkaffold(after, [], wanted).text, `${name} without a record`).toBe(edit.text)
        if (edit.text !== text) changed++
      }
      expect(changed).toBeGreaterThanOrEqual(150)
    },
  )

  test('mean the same to Skaffold, and build in the cluster with the profile', async () => {
    const before = await forEach(files, (file) => diagnose(file))
    const profiled = new Set<string>()
    for (const file of files) {
      const edit = editSkaffold(parseSkaffold(file, read(file)), [], options)
      writeFileSync(join(directory, file), edit.text, { mode: statSync(join(directory, file)).mode })
      if (edit.profiled > 0) profiled.add(file)
    }
    const after = await forEach(files, (file) => diagnose(file))
    for (const file of files) expect(registriesOff(after.get(file)), file).toEqual(registriesOff(before.get(file)))
    const readable = files.filter((file) => before.get(file)?.documents !== undefined)
    expect(readable.length).toBeGreaterThanOrEqual(150)
    const inCluster = await forEach(
      readable.filter((file) => profiled.has(file)),
      (file) => diagnose(file, '-p', 'regctl'),
    )
    expect(inCluster.size).toBeGreaterThanOrEqual(100)
    for (const [file, outcome] of inCluster) {
      expect(outcome.refusal, file).toBeUndefined()
      expect(notInCluster(outcome, 'builds'), file).toEqual([])
      expect(withoutBuilder(outcome), file).toEqual(withoutBuilder(before.get(file)))
    }
  }, 600_000)
})

/** Every line of `before` is in `after`, in order; the last one may have got its line end. */
function onlyLinesAdded(before: string, after: string): boolean {
  const lines = before.split('\n')
  let found = 0
  for (const line of after.split('\n')) if (line === lines[found]) found++
  return found === lines.length
}
