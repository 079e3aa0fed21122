import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apply, inside, pod, REGISTRY } from './attacks/kit.ts'
import { askOne, type Client, clients, manifest, push } from './clients.ts'
import { kubectlOk, regctl, regctlOk } from './cluster.ts'
import { upFlags } from './images.ts'
import { container, podOf } from './tenants/kit.ts'

const FEW = 10
const MANY = 200
const ROUNDS = 3
const LABEL = 'regctl-e2e=tenants-many'

const names = Array.from({ length: MANY }, (_, index) => `e2e-many-tenant-${String(index + 1).padStart(3, '0')}`)
/** Every twentieth: Envoy goes by name, so who comes late costs more. */
const few = names.filter((_, index) => index % (MANY / FEW) === MANY / FEW - 1)
const [first = ''] = few
const last = few.at(-1) ?? ''
const readers: readonly Client[] = [first, few[few.length >> 1] ?? '', last].map((namespace) => ({
  namespace,
  name: 'reader',
}))

/** The API server on a port of this machine, so that a request costs no new program. */
let proxy: ChildProcess
let api: string

beforeAll(async () => {
  await regctlOk(['up', ...upFlags])
  await kubectlOk(['delete', 'namespace', '-l', LABEL, '--timeout=200s'])
  const [key = '', value = ''] = LABEL.split('=')
  await apply(
    ...names.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { [key]: value } } })),
  )
  proxy = spawn('kubectl', ['proxy', '--port=0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(proxy.stdout ?? process.stdin), 'line')) as [string]
  api = `http://${/127\.0\.0\.1:\d+/.exec(line)?.[0]}`
  await regctlOk(['tenant', 'add', ...few, '--private', '--accept'])
  await clients(...readers.map(({ namespace, name }) => pod(namespace, name)))
  for (const reader of readers) await push(reader, `${reader.namespace}/app`, '1')
}, 300_000)

afterAll(async () => {
  proxy.kill()
  await regctlOk(['tenant', 'remove', ...names])
  await kubectlOk(['delete', 'namespace', '-l', LABEL, '--wait=false'])
}, 200_000)

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

/** Milliseconds of making a pod with images of its tenant, as a dry run. */
async function admission(): Promise<number> {
  const body = podOf(first, {
    containers: [container(`localhost:5000/${first}/app:1`), container('nginx', { name: 'other' })],
  })
  const times: number[] = []
  for (let round = 0; round < 150; round++) {
    const start = performance.now()
    const answer = await fetch(`${api}/api/v1/namespaces/${first}/pods?dryRun=All`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    await answer.text()
    times.push(performance.now() - start)
    expect(answer.status).toBe(201)
  }
  return median(times)
}

/** Milliseconds of reading a manifest as a tenant, over one connection. */
async function reading({ namespace, name }: Client): Promise<number> {
  const { url } = manifest(`${namespace}/app`, '1')
  const script = `for i in 1 2 3 4 5; do curl -s ${Array.from({ length: 60 }, () => `-o /dev/null ${url}`).join(' ')} -w '%{http_code} %{time_total}\\n' -H 'Accept: application/vnd.oci.image.manifest.v1+json'; done`
  const { stdout } = await inside(namespace, name, script)
  const lines = stdout.trim().split('\n')
  expect(lines.every((line) => line.startsWith('200 '))).toBe(true)
  return median(lines.map((line) => Number(line.split(' ')[1]) * 1000))
}

/** The least of several medians: what the machine does besides makes single ones longer, never shorter. */
async function best(measure: () => Promise<number>): Promise<number> {
  const seen: number[] = []
  for (let round = 0; round < 4; round++) seen.push(await measure())
  return Math.min(...seen)
}

type Measured = { readonly admission: number; readonly readings: readonly number[] }

async function measured(): Promise<Measured> {
  const readings: number[] = []
  for (const reader of readers) readings.push(await best(() => reading(reader)))
  return { admission: await best(admission), readings }
}

/** Of a tenant, be it early or late in the order. */
const latency = ({ readings }: Measured): number => readings.reduce((sum, one) => sum + one, 0) / readings.length

async function timed(args: readonly string[]): Promise<number> {
  const start = Date.now()
  const { exitCode, stderr } = await regctl(args, { timeout: 200_000 })
  expect(exitCode, stderr).toBe(0)
  return Math.round((Date.now() - start) / 1000)
}

test('200 tenants, added in one run, cost admission and the registry what 10 cost', { timeout: 900_000 }, async () => {
  const others = names.filter((name) => !few.includes(name))
  // The machine is not as fast all the while, so few and many take turns.
  const [withFew, withMany] = [[await measured()], [] as Measured[]]
  const seconds: { readonly add: number; readonly remove: number }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const add = await timed(['tenant', 'add', ...others, '--private', '--accept', '--timeout', '90s'])
    withMany.push(await measured())
    if (round === 0) await expectMany()
    const remove = await timed(['tenant', 'remove', ...others])
    withFew.push(await measured())
    seconds.push({ add, remove })
  }
  const of = (what: (one: Measured) => number) => median(withMany.map(what)) / median(withFew.map(what))
  const ratios = { admission: of(({ admission: ms }) => ms), reading: of(latency) }
  process.stdout.write(
    `${MANY - FEW} tenants: s ${JSON.stringify(seconds)}; ms ${JSON.stringify({ withFew, withMany })}; ${JSON.stringify(ratios)}\n`,
  )
  expect(ratios.admission).toBeLessThanOrEqual(1.2)
  expect(ratios.reading).toBeLessThanOrEqual(1.2)
})

async function expectMany(): Promise<void> {
  const [reader] = readers
  if (reader === undefined) throw new Error('nobody reads')
  expect((await askOne(reader, manifest(`${last}/app`, '1'))).status).toBe(403)
  const { stdout } = await regctl(['status'])
  expect(stdout).toContain(`Tenants: ${MANY}, ${MANY} of them private`)
  const policies = await kubectlOk(['get', 'validatingadmissionpolicies', '-l', 'regctl.dev/tenant', '-o', 'name'])
  expect(policies.trim().split('\n')).toHaveLength(4)
  expect(await kubectlOk(['get', 'authorizationpolicies', '-n', REGISTRY, '-o', 'name'])).toContain(`private-${last}`)
}
