import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { commandBehind, detachedArgv, forwardInput } from '../../src/flags/forward.ts'

const found = { port: 5000, context: 'lab', mode: 'mesh', identity: 'team/ada' }
const told = ['--port', '5000', '--context', 'lab', '--mode', 'mesh', '--identity', 'team/ada']

test.each([
  ['nothing', []],
  ['what would be found anew', ['--mode', 'auto', '--identity', 'team', '--port', '0']],
  ['the same in one word', ['--mode=auto', '--identity=team', '--port=0', '--context=lab']],
])('what runs in the background is told what was found, where it was told %s', (_, given) => {
  expect(detachedArgv(['--detach', '--json', ...given], found)).toEqual(told)
})

test('what changes while it runs is found anew', () => {
  const kept = ['--gateway', '192.0.2.1:1', '--transport=websocket', '-n', 'registry', '--address', '127.0.0.1']
  expect(detachedArgv(['--detach', ...kept], found)).toEqual([...kept, ...told])
})

test('in port-forward mode it is nobody', () => {
  const asked = { port: 1, context: 'a', mode: 'port-forward' }
  expect(detachedArgv(['--detach'], asked)).toEqual(['--port', '1', '--context', 'a', '--mode', 'port-forward'])
})

test('it runs in another directory', () => {
  expect(detachedArgv(['--kubeconfig', 'x/y'], found)).toEqual(['--kubeconfig', resolve('x/y'), ...told])
  expect(detachedArgv(['--kubeconfig=x/y'], found)).toEqual([`--kubeconfig=${resolve('x/y')}`, ...told])
})

const given = { mode: 'mesh', transport: 'auto', namespace: 'n' } as const

test.each(['59s', '61m'])('a certificate of %s: what would do', (life) => {
  expect(() => forwardInput({ ...given, 'certificate-lifetime': life })).toThrow(
    expect.objectContaining({
      code: 'INVALID_LIFETIME',
      suggestions: ['regctl dev-forward --certificate-lifetime 1h'],
    }),
  )
})

test.each([
  [['x', "y'z"], 'UNEXPECTED_ARGUMENT', [`regctl dev-forward -- x 'y'\\''z'`]],
  [['--'], 'NO_COMMAND', ['regctl dev-forward -- COMMAND']],
  [['--detach', '--', 'x'], 'DETACHED_COMMAND', ['regctl dev-forward --detach', 'regctl dev-forward -- x']],
])('%j is refused with what would do', (argv, code, suggestions) => {
  const args = argv.filter((arg) => !arg.startsWith('-'))
  expect(() => commandBehind(argv, args)).toThrow(expect.objectContaining({ code, suggestions }))
})
