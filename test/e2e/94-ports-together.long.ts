import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureVictim } from './attacks/kit.ts'
import { kubectlOk, regctl, regctlOk } from './cluster.ts'
import { upFlags } from './images.ts'

const HOME = 'kube-registry-ports-e2e'
const PORTS = ['18090', '18091', '18092']

const hostPorts = async (): Promise<readonly string[]> => {
  const path = 'jsonpath={.spec.template.spec.containers[0].ports[*].hostPort}'
  return (await kubectlOk(['get', 'daemonset', '-n', HOME, 'registry-ports-e2e', '-o', path])).split(' ').sort()
}

const listed = async (): Promise<readonly number[]> =>
  (JSON.parse(await regctlOk(['ports', '--json'])) as { ports: { port: number }[] }).ports.map(({ port }) => port)

const opening = (port: string) => regctl(['open-port', port, '--name', 'e2e'], { timeout: 150_000 })

beforeAll(ensureVictim)

afterAll(async () => {
  for (const port of PORTS) await regctl(['close-port', port])
})

test('ports of one name, opened at the same time, are all there; closed at the same time, nothing is left', async () => {
  const opened = await Promise.all(PORTS.map(opening))
  expect(
    opened.map(({ exitCode }) => exitCode),
    opened.map(({ stderr }) => stderr).join(''),
  ).toEqual([0, 0, 0])
  expect(await hostPorts()).toEqual(PORTS)
  expect(await listed()).toEqual(PORTS.map(Number))
  const closed = await Promise.all(PORTS.map((port) => regctl(['close-port', port])))
  expect(
    closed.map(({ exitCode }) => exitCode),
    closed.map(({ stderr }) => stderr).join(''),
  ).toEqual([0, 0, 0])
  expect(await listed()).toEqual([])
  // Opened again while the namespace may still be ending.
  expect((await opening('18090')).exitCode).toBe(0)
})

test('up keeps an open port, and down takes it away', async () => {
  const pods = () => kubectlOk(['get', 'pods', '-n', HOME, '-o', 'jsonpath={.items[*].metadata.uid}'])
  const before = await pods()
  expect(await regctlOk(['up', ...upFlags])).toContain('Nothing to change')
  expect(await pods()).toBe(before)
  await regctlOk(['down'])
  expect(await kubectlOk(['get', 'namespaces', '-o', 'name'])).not.toContain('kube-registry-ports')
  expect(await kubectlOk(['get', 'validatingadmissionpolicies', '-o', 'name'])).not.toContain('kube-registry-ports')
  await regctlOk(['up', ...upFlags])
})
