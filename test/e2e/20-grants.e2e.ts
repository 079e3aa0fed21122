import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  askOne,
  builder,
  type Client,
  clients,
  ensureBuilder,
  ensureNamespaces,
  LOCAL,
  onHost,
  push,
  someNodes,
} from './clients.ts'
import { eventually, kubectlOk, regctl, regctlOk } from './cluster.ts'
import { upFlags } from './images.ts'
import { describeBuilders, prepareSorts, sorts } from './policy/builders.ts'
import { describeChanges, passing, preparePassing } from './policy/changes.ts'
import { describeRefusals, prepareRefusals } from './policy/refusals.ts'
import { bigBlob, slowDownload, slowUpload, type Transfer } from './transfers.ts'

const PULLS = 'e2e-pulls'
const PASSER = 'e2e-passer'
/** More than a minute, also where the buffers on the way take the first of it at once. */
const TRANSFER_SECONDS = 72

const host: Client = { namespace: PULLS, name: 'host' }

let blob: string
let granted: number
let transfers: Promise<Record<string, Transfer>>

beforeAll(async () => {
  await regctlOk(['up', ...upFlags])
  await ensureNamespaces(PULLS, PASSER)
  const [node] = await someNodes()
  await Promise.all([ensureBuilder(), clients(onHost(PULLS, host.name, node?.name ?? ''))])
  blob = await bigBlob(builder, 'example/big', TRANSFER_SECONDS)
  // They run beside all that follows: every change of policy there is one that must not cut them.
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
  await Promise.all([prepareRefusals(), preparePassing(), prepareSorts()])
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', PASSER, PULLS, ...passing, ...sorts])
})

describeRefusals()
describeChanges()
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
