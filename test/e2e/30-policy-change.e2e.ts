import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, pod, REGISTRY, ready } from './attacks/kit.ts'
import {
  askOne,
  builder,
  type Client,
  clients,
  codes,
  ensureBuilder,
  ensureNamespaces,
  getJson,
  LOCAL,
  onHost,
  push,
  someNodes,
  upFlags,
  uploadTo,
} from './clients.ts'
import { eventually, kubectlOk, regctl, regctlOk } from './cluster.ts'
import { describeBuilders, prepareSorts, sorts } from './policy/builders.ts'
import { bigBlob, connection, slowDownload, slowUpload, type Transfer } from './transfers.ts'

const LEAVER = 'e2e-leaver'
const HOSTS = 'e2e-hosts'
const PASSER = 'e2e-passer'
const GONE = 'e2e-gone'
const MANY = [1, 2, 3, 4, 5].map((number) => `e2e-many-${number}`)
/** More than a minute, also where the buffers on the way take the first of it at once. */
const TRANSFER_SECONDS = 78

const leaver: Client = { namespace: LEAVER, name: 'leaver' }
const idle: Client = { namespace: LEAVER, name: 'idle' }
const host: Client = { namespace: HOSTS, name: 'host' }

let blob: string
let granted: number
let transfers: Promise<Record<string, Transfer>>

type Policy = {
  readonly spec: { readonly rules: readonly { readonly from?: { source: { notPrincipals?: string[] } }[] }[] }
}

/** The namespaces that the fence lets through to the policies of the grants. */
async function fenced(): Promise<readonly string[]> {
  const { spec } = await getJson<Policy>('authorizationpolicy', '-n', REGISTRY, 'fence')
  const principals = spec.rules.flatMap((rule) => rule.from?.flatMap(({ source }) => source.notPrincipals ?? []) ?? [])
  return principals.flatMap((principal) => /\/ns\/([^/]+)\//.exec(principal)?.[1] ?? [])
}

async function grantedNamespaces(): Promise<readonly string[]> {
  const { grants } = JSON.parse(await regctlOk(['grants', '--json']))
  return grants.map(({ namespace }: { namespace: string }) => namespace)
}

beforeAll(async () => {
  await regctlOk(['up', ...upFlags])
  await ensureNamespaces(LEAVER, HOSTS, PASSER, GONE, ...MANY)
  const [node] = await someNodes()
  await Promise.all([
    ensureBuilder(),
    clients(onHost(HOSTS, host.name, node?.name ?? '')),
    (async () => {
      await regctlOk(['grant', LEAVER, 'leaver'])
      await regctlOk(['grant', LEAVER, 'stays'])
      await clients(pod(LEAVER, leaver.name), pod(LEAVER, idle.name))
    })(),
  ])
  blob = await bigBlob(builder, 'example/big', TRANSFER_SECONDS)
  const running = {
    upload: slowUpload(builder, 'example/slow', TRANSFER_SECONDS),
    download: slowDownload(builder, 'example/big', blob),
    pull: slowDownload(host, 'example/big', blob),
  }
  transfers = Promise.all(Object.entries(running).map(async ([name, one]) => [name, await one] as const)).then(
    Object.fromEntries,
  )
  await regctlOk(['grant', PASSER, 'passer'])
  granted = Date.now()
  await prepareSorts()
})

afterAll(async () => {
  const left = [LEAVER, PASSER, GONE, ...MANY, ...sorts]
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', ...left])
})

describe('revoke', () => {
  test('is true when it returns, and idle connections end within ten seconds', async () => {
    await using kept = connection(leaver)
    const upload = ['POST', '/v2/leaver/app/blobs/uploads/'] as const
    expect(await kept.send(...upload)).toBe(202)
    expect(await kept.send('GET', '/v2/')).toBe(200)
    const { exitCode, stdout } = await regctl(['revoke', LEAVER, 'leaver'])
    const revoked = Date.now()
    expect(exitCode).toBe(0)
    expect(stdout).toContain('A request that began before may still finish')
    // A pod without a connection opens one, and that knows the new policy.
    expect(await codes(idle, { gone: uploadTo('leaver/app'), stays: uploadTo('stays/app') })).toEqual({
      gone: 403,
      stays: 202,
    })
    expect(await kept.closed).toBeLessThan(revoked + 10_000)
    expect((await askOne(leaver, uploadTo('leaver/app'))).status).toBe(403)
  })

  test('of the last grant takes the listener and the place in the fence along', async () => {
    await regctlOk(['revoke', LEAVER, 'stays'])
    expect(await fenced()).not.toContain(LEAVER)
    const service = `http://${REGISTRY}.${REGISTRY}.svc.cluster.local:5000`
    expect((await askOne(leaver, uploadTo('stays/app', service))).status).toBe(403)
    await eventually(async () => expect((await askOne(leaver, { url: `${LOCAL}/v2/` })).failure).toBe(7))
  })

  test('of nothing is no failure', async () => {
    for (const args of [
      [LEAVER, 'leaver'],
      [LEAVER, '--all'],
      ['e2e-no-such-namespace', 'leaver'],
    ]) {
      const { exitCode, stdout } = await regctl(['revoke', ...args])
      expect(exitCode, args.join(' ')).toBe(0)
      expect(stdout).toContain('Nothing to revoke')
    }
  })

  test('takes back every grant of a namespace with --all', async () => {
    await regctlOk(['grant', PASSER, 'passer/two', '--read-only'])
    const { revoked } = JSON.parse(await regctlOk(['revoke', PASSER, '--all', '--json']))
    expect(revoked.map(({ repository }: { repository: string }) => repository).sort()).toEqual(['passer', 'passer/two'])
    expect(await grantedNamespaces()).not.toContain(PASSER)
  })
})

describe('at the same time', () => {
  test('five grants lose nothing, and five revokes neither', async () => {
    await Promise.all(MANY.map((name) => regctlOk(['grant', name, name])))
    expect(await grantedNamespaces()).toEqual(expect.arrayContaining(MANY))
    expect(await fenced()).toEqual(expect.arrayContaining(MANY))
    expect((await regctl(['status'])).exitCode).toBe(0)
    await Promise.all(MANY.map((name) => regctlOk(['revoke', name, name])))
    const left = [...(await grantedNamespaces()), ...(await fenced())]
    expect(left.filter((name) => MANY.includes(name))).toEqual([])
    expect((await regctl(['status'])).exitCode).toBe(0)
  })
})

describe('a deleted namespace', () => {
  test('takes its grants along; a namesake has none, and the rest is well', async () => {
    await regctlOk(['grant', GONE, 'gone'])
    await kubectlOk(['delete', 'namespace', GONE, '--timeout=60s'])
    await eventually(async () => expect(await grantedNamespaces()).not.toContain(GONE), { timeout: 30_000 })
    await ensureNamespaces(GONE)
    await apply(pod(GONE, 'namesake', { labels: { 'sidecar.istio.io/inject': 'true' } }))
    await ready(GONE, 'namesake')
    const service = `http://${REGISTRY}.${REGISTRY}.svc.cluster.local:5000`
    const namesake = { namespace: GONE, name: 'namesake' }
    expect((await askOne(namesake, uploadTo('gone/app', service))).status).toBe(403)
    await eventually(async () => {
      const { exitCode, stdout } = await regctl(['status'])
      expect(exitCode, stdout).toBe(0)
    })
  })
})

describeBuilders()

describe('transfers of more than a minute', () => {
  test("are not cut by another namespace's grant", async () => {
    const { upload, download, pull } = await transfers
    for (const [name, one] of Object.entries({ upload, download, pull })) {
      expect(one?.failure, name).toBe(0)
      expect((one?.endedAt ?? 0) - (one?.startedAt ?? 0), name).toBeGreaterThan(60_000)
      expect((one?.endedAt ?? 0) - granted, `${name} after the grant`).toBeGreaterThan(50_000)
    }
    expect([download?.digest, pull?.digest]).toEqual([blob, blob])
    // The registry took the upload's digest, so what arrived is what was sent.
    expect(upload?.digest).toMatch(/^sha256:[0-9a-f]{64}$/)
    const stored = { method: 'HEAD', url: `${LOCAL}/v2/example/slow/blobs/${upload?.digest}` }
    expect((await askOne(builder, stored)).status).toBe(200)
  })

  test('are cut by revoke --now, which says so, and the registry is back within 15 s', async () => {
    await regctlOk(['grant', PASSER, 'passer'])
    const cut = slowDownload(host, 'example/big', blob)
    const start = Date.now()
    const { exitCode, stderr } = await regctl(['revoke', PASSER, 'passer', '--now'])
    expect(exitCode, stderr).toBe(0)
    expect(Date.now() - start).toBeLessThan(20_000)
    expect(stderr).toContain('running pushes and pulls of every namespace and node are cut')
    expect((await askOne(host, { url: `${LOCAL}/v2/` })).status).toBe(200)
    await eventually(() => push(builder, 'example/app', 'after-now'), { timeout: 10_000 })
    // It ends, cut, and does not wait for packets of a pod that is gone.
    const { digest, endedAt } = await cut
    expect(digest).not.toBe(blob)
    expect(endedAt - start).toBeLessThan(60_000)
  })
})
