import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REGISTRY } from './attacks/kit.ts'
import { someNodes } from './clients.ts'
import { kubectl, kubectlOk, regctlOk } from './cluster.ts'
import { moreRights } from './developers/rights.ts'
import { grantTo, INGRESS, NOBODY, stageOf } from './developers/stage.ts'
import {
  at,
  call,
  certify,
  gatewayForward,
  type Identity,
  Line,
  tokenOf,
  uploadTo,
  type Way,
} from './developers/workstation.ts'

const TEAM = 'e2e-team-way'
const USER = 'ada-way@example.org'
const ADA = ['--as', USER]

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
