import { describe, expect, test } from 'vitest'
import { apply, BUILDER, pod } from '../attacks/kit.ts'
import { type Client, clients, ensureNamespaces, getJson, push } from '../clients.ts'
import { kubectlOk, regctl, regctlOk } from '../cluster.ts'

const APP = 'e2e-app'
const TAKEN = 'e2e-taken'
const SIDECAR = 'e2e-sidecar'
const TWO = 'e2e-two'
const WARNED = 'e2e-warned'

type Labelled = {
  readonly metadata: { readonly labels: Record<string, string>; readonly annotations?: Record<string, string> }
}
type Sidecar = {
  readonly spec: {
    readonly egress: readonly { readonly hosts: readonly string[]; readonly port?: { number: number } }[]
  }
}

const labelsOf = async (name: string): Promise<Record<string, string>> =>
  (await getJson<Labelled>('namespace', name)).metadata.labels

const grantNames = async (namespace: string): Promise<readonly string[]> =>
  JSON.parse(await regctlOk(['grants', '--json']))
    .grants.filter((one: { namespace: string }) => one.namespace === namespace)
    .map(({ repository }: { repository: string }) => repository)

/** Namespaces of all sorts that are to be granted something. */
export const sorts = [APP, TAKEN, SIDECAR, TWO, WARNED]

export async function prepareSorts(): Promise<void> {
  await ensureNamespaces(...sorts)
  const accounts = ['one', 'two'].map((name) => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { namespace: TWO, name },
  }))
  const foreign = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { namespace: SIDECAR, name: 'mine' },
    spec: { egress: [{ hosts: ['./*', 'istio-system/*'] }] },
  }
  const { spec } = pod(APP, 'app') as { spec: object }
  const template = { metadata: { labels: { app: 'app' } }, spec }
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: APP, name: 'app' },
    spec: { selector: { matchLabels: { app: 'app' } }, template },
  }
  await apply(...accounts, foreign, deployment)
  await Promise.all([
    clients(pod(TAKEN, 'app', { container: { ports: [{ containerPort: 5000 }] } })),
    kubectlOk(['rollout', 'status', '-n', APP, 'deployment/app', '--timeout=60s']),
  ])
}

export function describeBuilders(): void {
  describe.concurrent('a wrong command changes nothing', () => {
    const wrong: Readonly<Record<string, readonly [repository: string, ...flags: string[]]>> = {
      'upper case': ['Example'],
      'two dots': ['example/../other'],
      'a dot': ['example/.'],
      'an empty component': ['example//app'],
      'a slash at the end': ['example/'],
      'reserved blobs': ['example/blobs'],
      'reserved manifests': ['manifests/app'],
      'reserved tags': ['example/tags'],
      'reserved uploads': ['uploads'],
      'reserved referrers': ['example/referrers/x'],
      'the catalog': ['_catalog'],
      'a tag': ['example/app:1'],
      'a wildcard': ['example/*'],
      'the registry before it': ['localhost:5000/example'],
      'too long for a policy': [`long/${'x'.repeat(200)}`],
      'a wrong service account': ['example', '--service-account', 'UPPER'],
      'a wrong label': ['example', '--pods', 'novalue'],
    }

    test('names that are none exit 2 and say why', async () => {
      for (const [name, args] of Object.entries(wrong)) {
        const { exitCode, stderr } = await regctl(['grant', WARNED, ...args])
        expect(exitCode, name).toBe(2)
        expect(stderr, name).toMatch(/is not a (valid|label)|not valid|invalid/i)
      }
      expect((await regctl(['grant', 'UPPER', 'example'])).exitCode).toBe(2)
      expect(await labelsOf(WARNED)).not.toHaveProperty('regctl.dev/installation')
    })

    test('a missing namespace or service account exits 3', async () => {
      const namespace = await regctl(['grant', 'e2e-no-such-namespace', 'example'])
      expect([namespace.exitCode, namespace.stderr]).toEqual([3, expect.stringContaining('does not exist')])
      const account = await regctl(['grant', APP, 'missing', '--service-account', 'nobody'])
      expect([account.exitCode, account.stderr]).toEqual([3, expect.stringContaining('"nobody" does not exist')])
      expect(await labelsOf(APP)).not.toHaveProperty('istio-injection')
      expect(await grantNames(APP)).not.toContain('missing')
    })
  })

  describe.concurrent('a namespace', () => {
    test('with an application without proxy needs --inject; the last revoke takes the label off', async () => {
      const refused = await regctl(['grant', APP, 'app'])
      expect(refused.exitCode).toBe(4)
      expect(refused.stderr).toMatch(/runs pods without an Istio proxy: app-/)
      expect(refused.stderr).toContain('--inject')
      expect(await grantNames(APP)).toEqual([])
      expect(await labelsOf(APP)).not.toHaveProperty('istio-injection')

      const { addedLabels } = JSON.parse(await regctlOk(['grant', APP, 'app', '--inject', '--json']))
      expect(addedLabels).not.toEqual({})
      expect(await labelsOf(APP)).toMatchObject(addedLabels)
      await regctlOk(['grant', APP, 'app-two'])
      await regctlOk(['revoke', APP, 'app'])
      expect(await labelsOf(APP)).toMatchObject(addedLabels)
      await regctlOk(['revoke', APP, 'app-two'])
      for (const key of Object.keys(addedLabels)) expect(await labelsOf(APP)).not.toHaveProperty(key)
      const { items } = await getJson<{ items: unknown[] }>('sidecars.networking.istio.io', '-n', APP)
      expect(items).toEqual([])
    })

    test('whose pods use port 5000 needs --pods, which leaves them alone', async () => {
      const refused = await regctl(['grant', TAKEN, 'taken'])
      expect(refused.exitCode).toBe(4)
      expect(refused.stderr).toContain('port 5000 is used by pod app')
      expect(refused.stderr).toContain('--pods KEY=VALUE')

      const { stderr } = await regctl(['grant', TAKEN, 'taken', '--pods', 'e2e/builder=true'])
      expect(stderr).toContain('e2e/builder=true')
      expect(stderr).toContain('sidecar.istio.io/inject=true')
      expect(await labelsOf(TAKEN)).not.toHaveProperty('istio-injection')
      const other = await regctl(['grant', TAKEN, 'taken/two', '--pods', 'e2e/other=yes'])
      expect([other.exitCode, other.stderr]).toEqual([
        4,
        expect.stringContaining('two Sidecars must not meet in one pod'),
      ])

      const picked: Client = { namespace: TAKEN, name: 'picked' }
      const labels = { 'e2e/builder': 'true', 'sidecar.istio.io/inject': 'true' }
      await clients(pod(TAKEN, picked.name, { labels }))
      await push(picked, 'taken/app', '1')
      await regctlOk(['revoke', TAKEN, 'taken'])
      expect((await getJson<{ items: unknown[] }>('sidecars.networking.istio.io', '-n', TAKEN)).items).toEqual([])
    })

    test('with a Sidecar of its own keeps it, unless --merge-sidecar, and gets it back', async () => {
      const sidecar = () => getJson<Sidecar>('sidecars.networking.istio.io', '-n', SIDECAR, 'mine')
      const before = await sidecar()
      const refused = await regctl(['grant', SIDECAR, 'merged'])
      expect(refused.exitCode).toBe(4)
      expect(refused.stderr).toContain(`Sidecar ${SIDECAR}/mine is not regctl's`)
      expect(refused.stderr).toContain('--merge-sidecar')
      expect(refused.stderr).toContain('kube-registry/')
      expect((await sidecar()).spec).toEqual(before.spec)

      await regctlOk(['grant', SIDECAR, 'merged', '--merge-sidecar'])
      const { egress } = (await sidecar()).spec
      expect(egress[0]?.port?.number).toBe(5000)
      expect(egress.slice(1)).toEqual(before.spec.egress)
      const member: Client = { namespace: SIDECAR, name: 'member' }
      await clients(pod(SIDECAR, member.name))
      await push(member, 'merged/app', '1')
      await regctlOk(['revoke', SIDECAR, 'merged'])
      expect((await sidecar()).spec).toEqual(before.spec)
    })

    test('with two grants of one repository is asked which to revoke', async () => {
      await regctlOk(['grant', TWO, 'two', '--service-account', 'one'])
      await regctlOk(['grant', TWO, 'two', '--service-account', 'two', '--exact'])
      const { exitCode, stderr } = await regctl(['revoke', TWO, 'two'])
      expect(exitCode).toBe(2)
      expect(stderr).toContain(`regctl revoke ${TWO} two --service-account one --no-exact --no-read-only`)
      expect(stderr).toContain(`regctl revoke ${TWO} two --service-account two --exact --no-read-only`)
      expect(await grantNames(TWO)).toEqual(['two', 'two'])
      await regctlOk(['revoke', TWO, 'two', '--exact'])
      expect(await grantNames(TWO)).toEqual(['two'])
      await regctlOk(['revoke', TWO, 'two'])
      expect(await grantNames(TWO)).toEqual([])
    })

    test('is warned of another that may write the same', async () => {
      const { exitCode, stderr } = await regctl(['grant', WARNED, 'example/two', '--exact'])
      expect(exitCode).toBe(0)
      expect(stderr).toContain(`namespace ${BUILDER} may write example and all below it as well`)
      await regctlOk(['revoke', WARNED, 'example/two'])
    })
  })
}
