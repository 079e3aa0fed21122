import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { loadSchema, violations } from '../contracts/schema.ts'

// Each one starts processes of its own.
vi.setConfig({ testTimeout: 60_000 })

const HEAD = 'apiVersion: skaffold/v4beta13\nkind: Config\n'
const MAIN = `${HEAD}requires:\n- path: api\n- configs: [other]\n- git: {repo: https://example.org/x.git}\nbuild:\n  artifacts: # all\n  - image: web\n    docker: {dockerfile: D}\n`
const API = `${HEAD}requires:\n- path: ../skaffold.yaml\nbuild:\n  artifacts:\n    - image: api\n`

let root: string
let home: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'regctl-skaffold-'))
  home = join(root, 'home')
  for (const name of ['home', 'project', 'project/api']) mkdirSync(join(root, name))
  writeFileSync(join(root, 'project/skaffold.yaml'), MAIN)
  writeFileSync(join(root, 'project/api/skaffold.yaml'), API)
  const config = {
    clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:59998', 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'kind-a.b', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'kind-a.b',
  }
  writeFileSync(join(root, 'kubeconfig'), JSON.stringify(config))
})
afterEach(() => rmSync(root, { recursive: true }))

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  execa(process.execPath, [join(import.meta.dirname, '../../bin/dev.js'), 'skaffold-init', ...args], {
    cwd: join(root, 'project'),
    env: {
      HOME: home,
      KUBECONFIG: join(root, 'kubeconfig'),
      XDG_STATE_HOME: join(home, 'state'),
      NO_COLOR: '1',
      ...env,
    },
    reject: false,
    stdin: 'ignore',
    stripFinalNewline: false,
  })
const read = (name: string) => readFileSync(join(root, name), 'utf8')
const given = ['--repository', 'example', '--builder', 'in-cluster', '--build-namespace', 'builds']

test('edits the project with its modules and the settings of the context; undo brings back every byte', async () => {
  const first = await run([...given, '--yes', '--json', '--kaniko-image', 'kaniko:9'])
  expect(first.exitCode, first.stderr).toBe(0)
  const result = JSON.parse(first.stdout) as { files: { path: string; changed: boolean }[] }
  expect(violations(loadSchema('skaffold-init') ?? {}, result)).toEqual([])
  expect(result).toMatchObject({
    written: true,
    goal: { builder: 'in-cluster', registry: 'localhost:5000', repository: 'example', buildNamespace: 'builds' },
    files: ['project/skaffold.yaml', 'project/api/skaffold.yaml', 'home/.skaffold/config'].map((name) => ({
      path: join(root, name),
      changed: true,
    })),
  })
  expect(first.stderr).toContain('https://example.org/x.git')
  expect(read('project/skaffold.yaml')).toMatch(/^ {2}insecureRegistries:$(.|\n)*^- name: regctl$/m)
  expect(read('project/api/skaffold.yaml')).toMatch(/^ {4}- localhost:5000$(.|\n)*^- name: regctl$/m)
  expect(read('home/.skaffold/config')).toBe(
    'kubeContexts:\n- kube-context: ^kind-a\\.b$\n  default-repo: localhost:5000/example\n  multi-level-repo: true\n  kind-disable-load: true\n',
  )
  const again = await run([])
  expect([again.exitCode, again.stdout]).toEqual([0, 'Nothing to change.\n'])
  expect(read('project/skaffold.yaml')).toContain('kaniko:9')

  const undone = await run(['--undo', '--yes'])
  expect([undone.exitCode, undone.stderr]).toEqual([0, expect.stringMatching(/Taken back\.\n$/)])
  expect([read('project/skaffold.yaml'), read('project/api/skaffold.yaml')]).toEqual([MAIN, API])
  expect(existsSync(join(home, '.skaffold/config'))).toBe(false)
  expect(readdirSync(join(home, 'state/regctl/edits'))).toEqual([])
  expect((await run(['--undo', '--yes'])).stdout).toBe('Nothing to take back.\n')
})

test("another place for the configuration, from Skaffold's own variable", async () => {
  const { exitCode } = await run(['--repository', 'example', '--yes'], { SKAFFOLD_CONFIG: join(root, 'mine') })
  expect(exitCode).toBe(0)
  expect(read('mine')).toContain('default-repo: localhost:5000/example')
  expect(existsSync(join(home, '.skaffold'))).toBe(false)
})

test('--print gives the file and writes nothing', async () => {
  const { stdout, stderr, exitCode } = await run([...given, '--print'])
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/^apiVersion: (.|\n)*name: regctl/)
  expect(stderr).toContain('+++ api/skaffold.yaml')
  expect([read('project/skaffold.yaml'), existsSync(join(home, '.skaffold'))]).toEqual([MAIN, false])
})

test.each<[string, number, string, readonly string[]]>([
  ['no terminal to ask on', 2, 'Code: NEEDS_YES', given],
  ['broken YAML, with its place', 4, 'Error: broken.yaml:2:1: ', [...given, '--yes', '--file', 'broken.yaml']],
  ['two ways at once', 2, 'cannot also be provided', ['--undo', '--check']],
])('%s: refused, and nothing is written', async (_, exit, expected, args) => {
  writeFileSync(join(root, 'project/broken.yaml'), 'a:\n\tb: 1\n')
  const { exitCode, stderr } = await run(args)
  expect([exitCode, stderr]).toEqual([exit, expect.stringContaining(expected)])
  expect(read('project/skaffold.yaml')).toBe(MAIN)
  expect([existsSync(join(home, '.skaffold')), existsSync(join(home, 'state'))]).toEqual([false, false])
})
