import { afterAll, beforeAll, expect, test } from 'vitest'
import { apply, BUILDER, pod, ready } from './attacks/kit.ts'
import { ask, type Client, clients, ensureNamespaces, fromNothing, manifest, onHost, someNodes } from './clients.ts'
import { kubectlOk, regctl, regctlOk } from './cluster.ts'
import { upFlags } from './images.ts'
import { build } from './kaniko.ts'

const RUNNERS = 'e2e-run-5001'
const image = 'localhost:5001/example/app'
const host: Client = { namespace: RUNNERS, name: 'host' }
const flags = [...upFlags, '--port', '5001', '--storage', 'emptydir']

beforeAll(async () => {
  await fromNothing()
  await ensureNamespaces(BUILDER, RUNNERS)
  expect(await regctlOk(['up', ...flags])).toContain('The registry is up on localhost:5001 of every node')
  expect(await regctlOk(['up'])).toContain('Nothing to change')
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', RUNNERS])
})

test('the whole story on port 5001', async () => {
  await regctlOk(['grant', BUILDER, 'example'])
  const [nodes] = await Promise.all([someNodes()])
  const waiting = clients(onHost(RUNNERS, host.name, nodes[0]?.name ?? ''))
  const built = await build(BUILDER, 'build-5001', `${image}:1`, `built ${Date.now()}`)
  expect(built.succeeded, built.log).toBe(true)
  const names = nodes.map(({ name }) => `app-${name}`)
  await apply(
    ...nodes.map(({ name }) =>
      pod(RUNNERS, `app-${name}`, {
        spec: { nodeName: name },
        container: { image: `${image}@${built.digest}`, imagePullPolicy: 'Always', command: undefined },
      }),
    ),
  )
  await ready(RUNNERS, ...names)
  await waiting
  const base = 'http://localhost:5001'
  const answers = await ask(host, [
    manifest('example/app', '1', base),
    { ...manifest('example/app', '1', base), host: 'localhost:5000' },
    { method: 'POST', url: `${base}/v2/example/app/blobs/uploads/` },
    { url: 'http://localhost:5000/v2/' },
  ])
  expect(answers.map(({ status }) => status)).toEqual([200, 403, 403, 0])
  const taken = pod(RUNNERS, 'taken', { container: { ports: [{ containerPort: 80, hostPort: 5001 }] } })
  await expect(apply(taken)).rejects.toThrow(/host port 5001 belongs to the registry/)
  expect((await regctl(['status'])).exitCode).toBe(0)
})

test('down asks before it loses what an emptydir holds', async () => {
  const { exitCode, stderr } = await regctl(['down'])
  expect(exitCode).toBe(4)
  expect(stderr).toContain('regctl down --delete-data')
  expect((await regctl(['status'])).exitCode).toBe(0)
  await regctlOk(['down', '--delete-data'])
  expect((await regctl(['status'])).exitCode).toBe(3)
})
