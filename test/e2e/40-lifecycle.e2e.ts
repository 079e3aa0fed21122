import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, BUILDER, inside, pod, REGISTRY, SERVICE } from './attacks/kit.ts'
import {
  askOne,
  builder,
  type Client,
  clients,
  ensureBuilder,
  ensureNamespaces,
  getJson,
  LOCAL,
  manifest,
  onHost,
  push,
  someNodes,
} from './clients.ts'
import { eventually, kubectl, kubectlOk, regctl, regctlOk } from './cluster.ts'
import { images, upFlags } from './images.ts'

const HOSTS = 'e2e-host'
const INTRUDERS = 'e2e-intruder'

const host: Client = { namespace: HOSTS, name: 'host' }
const intruder: Client = { namespace: INTRUDERS, name: 'intruder' }
/** The same image under another name, so that the registry gets a new pod. */
const otherName = images.registry.replace(/^docker\.io\/(library\/)?/, '')

let digest: string

/** What the intruder got so far, by status; 000 is no answer. */
async function got(): Promise<Readonly<Record<string, number>>> {
  const { stdout } = await inside(INTRUDERS, intruder.name, 'sort /tmp/codes | uniq -c')
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .map(([count, code]) => [code ?? '', Number(count)]),
  )
}

/** `up` until the object is there, then the signal. */
async function interrupted(signal: 'SIGINT' | 'SIGKILL', ...object: readonly string[]): Promise<ChildProcess> {
  const up = spawn(process.env.REGCTL_BIN ?? '', ['up', ...upFlags], { stdio: 'ignore' })
  const over = once(up, 'exit')
  await eventually(() => kubectlOk(['get', '-n', REGISTRY, ...object]), { timeout: 30_000, every: 50 })
  up.kill(signal)
  await over
  return up
}

const registryPod = async (): Promise<string> =>
  (await getJson<{ items: { metadata: { uid: string } }[] }>('pods', '-n', REGISTRY, '-l', 'app=kube-registry')).items
    .map(({ metadata }) => metadata.uid)
    .join()

beforeAll(async () => {
  await regctlOk(['up', ...upFlags])
  await ensureNamespaces(HOSTS, INTRUDERS)
  const [node] = await someNodes()
  const loop = `while :; do curl -s -m 2 -o /dev/null -w '%{http_code}\\n' -X POST ${SERVICE}/v2/example/app/blobs/uploads/ >>/tmp/codes; done`
  const container = { command: ['sh', '-c', `(${loop}) & (${loop}) & wait`] }
  await Promise.all([
    ensureBuilder(),
    clients(
      onHost(HOSTS, host.name, node?.name ?? ''),
      pod(INTRUDERS, intruder.name, { labels: { 'sidecar.istio.io/inject': 'true' }, container }),
    ),
  ])
  digest = await push(builder, 'example/app', 'kept')
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', HOSTS, INTRUDERS])
})

describe('what up was given', () => {
  test('stays, and what would lose data or move the registry is refused', async () => {
    const before = await registryPod()
    const refused = [
      ['--port', '5001'],
      ['--storage', 'emptydir'],
      ['--size', '512Mi'],
      ['--storage-class', 'other'],
      ['--namespace', 'second'],
    ]
    for (const flags of refused) {
      const { exitCode, stderr } = await regctl(['up', ...flags])
      expect(exitCode, `${flags.join(' ')}: ${stderr}`).toBe(4)
    }
    expect((await regctl(['up', '--size', 'much'])).exitCode).toBe(2)
    expect(JSON.parse(await regctlOk(['up', '--json']))).toMatchObject({ changed: [], removed: [] })
    expect(await registryPod()).toBe(before)
  })

  test('an upgrade puts a new pod in place, and a later up without the flag keeps it', async () => {
    const before = await registryPod()
    const { stdout } = await regctl(['up', '--image', otherName, '--dry-run'])
    expect(stdout).toMatch(new RegExp(`^\\+ +image: "?${otherName}"?$`, 'm'))
    expect(await registryPod()).toBe(before)
    await regctlOk(['up', '--image', otherName])
    const after = await registryPod()
    expect(after).not.toBe(before)
    expect(await regctlOk(['up'])).toContain('Nothing to change')
    expect(await registryPod()).toBe(after)
    const pulled = await askOne(host, manifest('example/app', digest))
    expect(pulled.status).toBe(200)
  })
})

describe('down', () => {
  test('keeps the data, and names and leaves what is not ours', async () => {
    const foreign = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: REGISTRY, name: 'somebody' } }
    await apply(foreign)
    const { exitCode, stderr, stdout } = await regctl(['down'])
    expect(exitCode, stderr).toBe(0)
    expect(stderr).toContain('somebody')
    expect(stdout).toContain('The image data stays')
    expect((await kubectl(['get', 'configmap', '-n', REGISTRY, 'somebody'])).exitCode).toBe(0)
    expect((await kubectl(['get', 'pvc', '-n', REGISTRY, 'registry-data'])).exitCode).toBe(0)
    const left = await kubectlOk([
      'get',
      'all,authorizationpolicies,envoyfilters,sidecars,secrets',
      '-A',
      '-l',
      `regctl.dev/installation=${REGISTRY}`,
      '-o',
      'name',
    ])
    expect(left).toBe('')
    const { metadata } = await getJson<{ metadata: { labels: object } }>('namespace', BUILDER)
    expect(metadata.labels).not.toHaveProperty('istio-injection')
    expect((await regctl(['status'])).exitCode).toBe(3)
    expect(await regctlOk(['down'])).toContain('Nothing to remove')
  })

  test('and up again, interrupted and killed halfway, serves the old images, to no one who was granted before', async () => {
    const stopped = await interrupted('SIGINT', 'authorizationpolicy', 'fence')
    expect(stopped.exitCode).toBe(130)
    const killed = await interrupted('SIGKILL', 'deployment', 'kube-registry')
    expect(killed.signalCode).toBe('SIGKILL')
    expect(await regctlOk(['up', ...upFlags])).toMatch(/[Tt]he registry is up on localhost:5000/)
    expect(await regctlOk(['up'])).toContain('Nothing to change')
    const pulled = await eventually(async () => {
      const answer = await askOne(host, manifest('example/app', 'kept'))
      expect(answer.status).toBe(200)
      return answer
    })
    expect(JSON.parse(pulled.body)).toMatchObject({ schemaVersion: 2 })
    expect((await askOne(host, manifest('example/app', digest))).status).toBe(200)
    expect(JSON.parse(await regctlOk(['grants', '--json']))).toEqual({ grants: [], exposures: [], external: [] })
    const before = await askOne(builder, { method: 'POST', url: `${SERVICE}/v2/example/app/blobs/uploads/` })
    expect(before.status).toBe(403)
  })

  test('--delete-data leaves nothing but what is not ours', async () => {
    await regctlOk(['down', '--delete-data'])
    expect((await kubectl(['get', 'pvc', '-n', REGISTRY, 'registry-data'])).exitCode).not.toBe(0)
    expect((await kubectl(['get', 'namespace', `${REGISTRY}-node`])).exitCode).not.toBe(0)
    expect((await kubectl(['get', 'configmap', '-n', REGISTRY, 'somebody'])).exitCode).toBe(0)
    await kubectlOk(['delete', 'namespace', REGISTRY, '--timeout=60s'])
    expect((await askOne(host, { url: `${LOCAL}/v2/` })).failure).toBe(7)
  })

  test('nobody without a grant got in at any moment of it', async () => {
    const codes = await got()
    expect(Object.keys(codes).filter((code) => !/^(000|403|404|502|503)$/.test(code))).toEqual([])
    // The loop was there while the registry was, and while it was not.
    expect(codes['403']).toBeGreaterThan(100)
    expect((codes['503'] ?? 0) + (codes['000'] ?? 0)).toBeGreaterThan(0)
  })
})
