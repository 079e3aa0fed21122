import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'

const directory = mkdtempSync(join(tmpdir(), 'regctl-cli-'))
/** An API server that takes requests and never answers. */
const silent = http.createServer(() => silent.emit('asked'))

beforeAll(async () => {
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
})
afterAll(() => {
  silent.closeAllConnections()
  silent.close()
  rmSync(directory, { recursive: true })
})

const dev = (args: readonly string[]) =>
  execa(process.execPath, [join(import.meta.dirname, '../../bin/dev.js'), ...args], { reject: false, stdin: 'ignore' })

function kubeconfig(port: number): string {
  const file = join(directory, `${port}.json`)
  const cluster = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'lab', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'lab',
  }
  writeFileSync(file, JSON.stringify(config))
  return file
}

test('an expected failure: what, code, command to run next; nothing on stdout and no stack', async () => {
  const { stdout, stderr, exitCode } = await dev(['status', '--kubeconfig', kubeconfig(59_998)])
  expect(exitCode).toBe(3)
  expect(stdout).toBe('')
  expect(stderr).toMatch(
    /^Error: cannot reach the API server http:\/\/127\.0\.0\.1:59998 of context "lab": .*ECONNREFUSED/,
  )
  expect(stderr).toContain('Code: UNREACHABLE')
  expect(stderr).toContain('kubectl config get-contexts')
  expect(stderr).not.toMatch(/^\s+at /m)
})

test('the same as JSON on stdout', async () => {
  const { stdout, stderr, exitCode } = await dev(['status', '--json', '--kubeconfig', kubeconfig(59_998)])
  expect(exitCode).toBe(3)
  expect(stderr).toBe('')
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'UNREACHABLE', name: 'RegctlError', oclif: { exit: 3 } } })
})

test.each([
  ['an unknown flag', ['status', '--nope']],
  ['an unknown command', ['sttus']],
  ['a missing argument', ['grant']],
  ['an argument too many', ['status', 'all']],
  ['a namespace that none can be called', ['status', '-n', 'A b']],
  ['an empty namespace', ['status', '-n', '']],
  ["a namespace too long for the node proxy's", ['status', '-n', 'a'.repeat(59)]],
  ["the cluster's own namespace", ['up', '-n', 'kube-system']],
  ['a setting that is wrong by itself', ['up', '--port', '80']],
  ['a size for what has none', ['up', '--storage', 'emptydir', '--size', '1Gi']],
])('%s exits 2', async (_, args) => {
  const { stdout, exitCode } = await dev(args)
  expect([exitCode, stdout]).toEqual([2, ''])
})

test('an unknown command gets the one that was meant', async () => {
  expect((await dev(['sttus'])).stderr).toBe('Error: "sttus" is not a command\nTry: regctl status')
})

test('an argument too many is not taken for a part of the command', async () => {
  const { stderr } = await dev(['status', 'all'])
  expect(stderr).toBe('Error: status takes no argument "all"\nTry: regctl status --help')
})

test("a flag's own check speaks as every other error", async () => {
  const { stderr } = await dev(['grant', 'ci', 'app', '--service-account', 'X'])
  expect(stderr).toBe('Error: service account "X" is not a valid Kubernetes name\nCode: INVALID_SERVICE_ACCOUNT')
})

test('a wrong flag as JSON is an error and not the inside of the parser', async () => {
  const { stdout, exitCode } = await dev(['status', '--nope', '--json'])
  expect(exitCode).toBe(2)
  const { error } = JSON.parse(stdout)
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'name', 'oclif', 'suggestions'])
  expect(error).toMatchObject({ code: 'USAGE', message: expect.stringContaining('--nope'), oclif: { exit: 2 } })
})

test.each([
  ['a closed pipe ends it without a word', '| true', '', 0],
  ['a full disk is told', '>/dev/full', 'Error: cannot write the output: ENOSPC: no space left on device, write', 1],
])('%s', async (_, to, stderr, code) => {
  const script = `set -o pipefail; "$0" "$1" up --help ${to}`
  const ended = await execa('bash', ['-c', script, process.execPath, join(import.meta.dirname, '../../bin/dev.js')], {
    reject: false,
  })
  expect([ended.exitCode, ended.stderr]).toEqual([code, stderr])
})

test.each([
  ['that is not there', join(directory, 'none'), 'there is no such file'],
  ['that is a directory', directory, 'it is a directory'],
  ['that is empty', '/dev/null', 'expected a document, but the input is empty'],
])('a kubeconfig %s is told as that', async (_, file, why) => {
  const { stderr, exitCode } = await dev(['status', '--kubeconfig', file])
  expect([exitCode, stderr.split('\n')[0]]).toEqual([3, `Error: cannot read the kubeconfig "${file}": ${why}`])
})

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends what waits, with exit code %i', async (signal, code) => {
  const running = dev(['status', '--kubeconfig', kubeconfig((silent.address() as AddressInfo).port)])
  await once(silent, 'asked')
  running.kill(signal)
  const { stderr, exitCode } = await running
  expect([exitCode, stderr]).toEqual([code, `stopped by ${signal}`])
})
