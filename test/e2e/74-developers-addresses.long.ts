import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REGISTRY } from './attacks/kit.ts'
import { someNodes } from './clients.ts'
import { eventually, kubectl, kubectlOk, regctl, regctlOk } from './cluster.ts'
import { INGRESS, stageOf } from './developers/stage.ts'
import { at, type Identity, type Way, wayIn } from './developers/way-in.ts'
import { answering, call } from './developers/workstation.ts'

const TEAM = 'e2e-team-ways'
const USER = 'ada-ways@example.org'
const ADA = ['--as', USER]

let way: Way
let ada: Identity

beforeAll(async () => {
  ;({ way, ada } = await stageOf(USER, TEAM))
})

afterAll(async () => {
  await regctlOk(['up', '--developer-ingress-type', 'NodePort'])
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM])
})

/** Gives the gateway's Service the address a cloud would. */
async function balancer(ip: string): Promise<void> {
  const status = { loadBalancer: { ingress: [{ ip }] } }
  const patch = ['patch', 'service', 'registry-ingress', '-n', INGRESS, '--subresource=status', '--type=merge', '-p']
  await eventually(
    async () => {
      expect(
        await kubectlOk(['get', 'service', 'registry-ingress', '-n', INGRESS, '-o', 'jsonpath={.spec.type}']),
      ).toBe('LoadBalancer')
      await kubectlOk([...patch, JSON.stringify({ status })])
    },
    { every: 200 },
  )
}

describe('the way in', () => {
  const served = async (now: Way) => {
    for (const address of now.addresses)
      expect((await call({ ...now, ...at(address) }, ada, { path: '/v2/' })).status, address).toBe(200)
    return now.addresses.map((address) => at(address).port)
  }

  test("is by a load balancer's address", async () => {
    const [node] = await someNodes()
    await Promise.all([regctlOk(['up', '--developer-ingress-type', 'LoadBalancer']), balancer(node?.ip ?? '')])
    const now = await wayIn(...ADA)
    expect(now.addresses).toEqual([`${node?.ip}:15443`])
    await served(now)
  })

  test('closes, with a word to the grants that need it, and opens by a port of the node it runs on', async () => {
    const { exitCode, stderr } = await regctl(['up', '--no-developer-ingress'])
    expect(exitCode, stderr).toBe(0)
    expect(stderr).toContain(`user:${USER}`)
    expect((await kubectl(['get', 'namespace', INGRESS])).exitCode).toBe(1)
    expect((await kubectl(['get', 'configmap', 'developer-access', '-n', REGISTRY])).exitCode).toBe(1)
    expect(await regctlOk(['status'])).toContain('All is well')
    expect(await answering(way, { sni: way.authority, alpn: ['h2'] })).toBeUndefined()
    await regctlOk(['up', '--developer-ingress-type', 'HostPort'])
    expect(await served(await wayIn(...ADA))).toEqual([15_443])
  })

  test('has no address where only a port-forward leads there', async () => {
    await regctlOk(['up', '--developer-ingress-type', 'ClusterIP'])
    expect((await wayIn(...ADA)).addresses).toEqual([])
  })
})
