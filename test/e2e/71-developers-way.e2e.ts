import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REGISTRY } from './attacks/kit.ts'
import { someNodes } from './clients.ts'
import { kubectl, kubectlOk, regctlOk } from './cluster.ts'
import { moreRights } from './developers/rights.ts'
import { grantTo, INGRESS, NOBODY, stageOf } from './developers/stage.ts'
import { at, certify, type Identity, tokenOf, type Way } from './developers/way-in.ts'
import { answering, call, gatewayForward, Line, REGISTRY_ID, uploadTo } from './developers/workstation.ts'
import { certificateOf, forget } from './expose/certificate.ts'

const TEAM = 'e2e-team-way'
const USER = 'ada-way@example.org'
const ADA = ['--as', USER]
const NO_IDENTITY: Identity = { certificate: '', key: '' }

let way: Way
let account: string
let ada: Identity

beforeAll(async () => {
  ;({ way, account, ada } = await stageOf(USER, TEAM))
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM])
})

/** By other kinds of addresses too, in the long suite. */
describe('the way in', () => {
  const served = async (now: Way) => {
    for (const address of now.addresses)
      expect((await call({ ...now, ...at(address) }, ada, { path: '/v2/' })).status, address).toBe(200)
    return now.addresses.map((address) => at(address).port)
  }

  test('is by a port of the nodes', async () => {
    const nodes = (await someNodes()).map(({ ip }) => ip)
    expect(way.addresses.map((address) => at(address).host).sort()).toEqual(nodes.sort())
    expect(new Set(await served(way)).size).toBe(1)
  })

  test('is by a port-forward of its pod, which is a right of its own', async () => {
    await grantTo(TEAM, `user:${USER}`, 'team', '--allow-gateway-forward')
    const rights = await Promise.all([INGRESS, REGISTRY].map((place) => moreRights(place, ADA, NOBODY)))
    expect(rights).toEqual([
      [
        { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['pods'] },
        { verbs: ['get', 'create'], apiGroups: [''], resources: ['pods/portforward'] },
      ],
      [{ verbs: ['get'], apiGroups: [''], resources: ['configmaps'], resourceNames: ['developer-access'] }],
    ])
    await using forwarded = await gatewayForward(...ADA)
    const here = { ...way, host: '127.0.0.1', port: forwarded.port }
    const identity = await certify(here, (await tokenOf(TEAM, account, ...ADA)).stdout.trim())
    expect((await call(here, identity, uploadTo('team/app'))).status).toBe(202)
  })

  test("the registry's own port of the nodes answers certificates of the mesh alone, and as the gateway does", async () => {
    const own = { ...way, ...at(way.registryAddresses[0] ?? '') }
    expect((await call(own, ada, uploadTo('team/app'))).status).toBe(202)
    expect((await call(own, ada, uploadTo('other/app'))).status).toBe(403)
    const forged = await certificateOf(`spiffe://cluster.local/ns/${TEAM}/sa/${account}`)
    const [certificate, key] = await Promise.all([forged.certificate, forged.key].map((file) => readFile(file, 'utf8')))
    await forget(forged)
    const stranger = { certificate: certificate ?? '', key: key ?? '' }
    for (const identity of [NO_IDENTITY, stranger])
      await expect(call(own, identity, { path: '/v2/' })).rejects.toThrow(/alert|hang up|ECONNRESET/)
    const plain = await fetch(`http://${own.host}:${own.port}/v2/`, { headers: { host: 'localhost:5000' } }).catch(
      () => 'nothing',
    )
    expect(plain).toBe('nothing')
    // Whatever name is asked for, istiod is not behind it.
    for (const sni of [way.authority, 'outbound_.15012_._.istiod.istio-system.svc.cluster.local'])
      expect(await answering(own, { sni, alpn: ['h2'], identity: ada })).toBe(`URI:${REGISTRY_ID}`)
  })
})

describe('revoke', () => {
  test('ends what the certificate is worth, also on a connection that stays open, and takes every right back', async () => {
    await using open = new Line(way, ada)
    expect((await open.call(uploadTo('team/app'))).status).toBe(202)
    const fresh = (await tokenOf(TEAM, account, ...ADA)).stdout.trim()
    await regctlOk(['revoke', TEAM, 'team', '--developer', `user:${USER}`])
    expect((await call(way, ada, uploadTo('team/app'))).status).toBe(403)
    expect((await call(way, ada, { path: '/v2/team/app/manifests/1' })).status).toBe(403)
    // On the old connection one request more may pass, as revoke says.
    const [, dialled] = [await open.call(uploadTo('team/app')), open.dialled]
    await pause(6500)
    expect((await open.call(uploadTo('team/app'))).status).toBe(403)
    expect([dialled, open.dialled]).toEqual([1, 2])
    await expect(certify(way, fresh)).rejects.toThrow(/istiod answers/)
    const places = [TEAM, REGISTRY, INGRESS]
    expect(await Promise.all(places.map((place) => moreRights(place, ADA, NOBODY)))).toEqual([[], [], []])
    expect((await kubectl(['get', 'serviceaccount', account, '-n', TEAM])).exitCode).toBe(1)
  })

  test('and a new grant gives a new account, so that the old certificate stays worthless', async () => {
    const renewed = await grantTo(TEAM, `user:${USER}`, 'team')
    expect(renewed).not.toBe(account)
    expect((await call(way, ada, uploadTo('team/app'))).status).toBe(403)
    const identity = await certify(way, (await tokenOf(TEAM, renewed, ...ADA)).stdout.trim())
    expect((await call(way, identity, uploadTo('team/app'))).status).toBe(202)
    ada = identity
  })
})
