import { describe, expect, test } from 'vitest'
import { apply, pod, REGISTRY, ready, SERVICE } from '../attacks/kit.ts'
import { askOne, type Client, clients, codes, ensureNamespaces, getJson, LOCAL, uploadTo } from '../clients.ts'
import { eventually, kubectlOk, regctl, regctlOk } from '../cluster.ts'
import { connection } from '../transfers.ts'

const LEAVER = 'e2e-leaver'
const PAIR = 'e2e-pair'
const GONE = 'e2e-gone'
const MANY = [1, 2, 3, 4, 5].map((number) => `e2e-many-${number}`)

/** Namespaces whose grants come and go. */
export const passing = [LEAVER, PAIR, GONE, ...MANY]

const leaver: Client = { namespace: LEAVER, name: 'leaver' }
const idle: Client = { namespace: LEAVER, name: 'idle' }

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

export async function preparePassing(): Promise<void> {
  await ensureNamespaces(...passing)
  await regctlOk(['grant', LEAVER, 'leaver'])
  await regctlOk(['grant', LEAVER, 'stays'])
  await clients(pod(LEAVER, leaver.name), pod(LEAVER, idle.name))
}

export function describeChanges(): void {
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
      expect((await askOne(leaver, uploadTo('stays/app', SERVICE))).status).toBe(403)
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
      await regctlOk(['grant', PAIR, 'pair'])
      await regctlOk(['grant', PAIR, 'pair/two', '--read-only'])
      const { revoked } = JSON.parse(await regctlOk(['revoke', PAIR, '--all', '--json']))
      expect(revoked.map(({ repository }: { repository: string }) => repository).sort()).toEqual(['pair', 'pair/two'])
      expect(await grantedNamespaces()).not.toContain(PAIR)
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
      const namesake = { namespace: GONE, name: 'namesake' }
      expect((await askOne(namesake, uploadTo('gone/app', SERVICE))).status).toBe(403)
      await eventually(async () => {
        const { exitCode, stdout } = await regctl(['status'])
        expect(exitCode, stdout).toBe(0)
      })
    })
  })
}
