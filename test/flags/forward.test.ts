import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { detachedArgv } from '../../src/flags/forward.ts'

test('what runs in the background is told the port and the cluster that were found', () => {
  expect(detachedArgv(['--detach', '--json', '--mode', 'mesh'], 5000, 'lab')).toEqual([
    '--mode',
    'mesh',
    '--port',
    '5000',
    '--context',
    'lab',
  ])
  const given = ['--port=5001', '--context', 'mine']
  expect(detachedArgv([...given, '--detach'], 5001, 'mine')).toEqual(given)
})

test('it runs in another directory', () => {
  const found = ['--port', '1', '--context', 'a']
  expect(detachedArgv(['--kubeconfig', 'x/y'], 1, 'a')).toEqual(['--kubeconfig', resolve('x/y'), ...found])
  expect(detachedArgv(['--kubeconfig=x/y'], 1, 'a')).toEqual([`--kubeconfig=${resolve('x/y')}`, ...found])
})
