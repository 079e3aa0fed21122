import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply } from './attacks/kit.ts'
import { eventually, kubectlOk, regctl, regctlOk } from './cluster.ts'
import { ask, type Proof, TYPES } from './developers/istiod.ts'
import { ADA, developerOf, grantTo } from './developers/stage.ts'
import { accountIdentity, certify, type Identity, tokenOf, type Way } from './developers/way-in.ts'
import { call } from './developers/workstation.ts'

const TEAM = 'e2e-team-istiod'
const OTHER = 'e2e-other-istiod'
const SYSTEM = 'istio-system'
/** gRPC's codes. */
const [UNKNOWN, DENIED, UNAUTHENTICATED] = [2, 7, 16]

let way: Way
let account: string
let ada: Identity

beforeAll(async () => {
  ;({ way, account, ada } = await developerOf(TEAM, OTHER))
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM, OTHER])
})

const asAda = (node: Partial<Parameters<typeof ask>[2]>, type: string, ...names: readonly string[]) =>
  ask(way, { identity: ada }, { namespace: TEAM, ...node }, type, ...names)

/** Is this text in one of the resources? */
const tells = ({ resources = [] }: Awaited<ReturnType<typeof ask>>, text: string): boolean =>
  resources.some((one) => one.includes(text))

describe('through the gateway istiod', () => {
  test('tells nothing without a certificate or a token of the mesh', async () => {
    const nonsense: readonly Proof[] = [{}, { token: 'nonsense' }]
    for (const proof of nonsense)
      expect(await ask(way, proof, { namespace: TEAM }, TYPES.clusters)).toMatchObject({ status: UNAUTHENTICATED })
  })

  test("tells a developer what it tells the workloads of the namespace: services, addresses, others' gateways", async () => {
    const registry = 'outbound|5000||kube-registry.kube-registry.svc.cluster.local'
    const token = (await tokenOf(TEAM, account, ...ADA)).stdout.trim()
    expect(tells(await ask(way, { token }, { namespace: TEAM }, TYPES.clusters), registry)).toBe(true)
    expect(tells(await asAda({}, TYPES.clusters), registry)).toBe(true)
    const ip = await kubectlOk([
      ...['get', 'pods', '-n', 'kube-registry', '-l', 'app=kube-registry', '-o', 'jsonpath={.items[0].status.podIP}'],
    ])
    expect(tells(await asAda({}, TYPES.endpoints, registry), ip)).toBe(true)
    await apply({
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { namespace: OTHER, name: 'theirs' },
      spec: {
        selector: { app: 'theirs' },
        servers: [{ port: { number: 8080, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
      },
    })
    await eventually(async () => {
      const router = { kind: 'router', labels: { app: 'theirs' } } as const
      expect(tells(await asAda(router, TYPES.listeners), '0.0.0.0_8080')).toBe(true)
    })
  })

  test('tells a developer nothing as of another namespace and nothing of the mesh itself', async () => {
    for (const namespace of [OTHER, SYSTEM, 'kube-registry', 'kube-registry-ingress'])
      expect(await asAda({ namespace }, TYPES.clusters), namespace).toMatchObject({ status: DENIED })
    for (const what of ['configz', 'syncz', 'adsz', 'registryz', 'authorizationz', 'push_status'])
      expect(await asAda({}, TYPES.debug, what), what).toMatchObject({ status: DENIED })
  })

  test('tells all of the mesh to its own namespace, so nobody is granted there', async () => {
    const identity = await accountIdentity(way, SYSTEM, 'default')
    const all = await ask(way, { identity }, { namespace: SYSTEM }, TYPES.debug, 'configz')
    expect(tells(all, 'AuthorizationPolicy')).toBe(true)
    const { exitCode, stderr } = await regctl(['grant', SYSTEM, 'team', '--developer', 'user:ada@example.org'])
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining(`namespace "${SYSTEM}" is istiod's`)])
  })

  test('gives no key out, except to an account that may list the Secrets of its namespace', async () => {
    const reader = { namespace: TEAM, name: 'reader' }
    const rbac = 'rbac.authorization.k8s.io'
    await apply(
      ...[TEAM, OTHER].map((namespace) => ({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { namespace, name: 'theirs' },
        stringData: { 'tls.crt': ada.certificate, 'tls.key': ada.key, 'ca.crt': way.roots },
      })),
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: reader },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'Role',
        metadata: reader,
        rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['list'] }],
      },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata: reader,
        roleRef: { apiGroup: rbac, kind: 'Role', name: 'reader' },
        subjects: [{ kind: 'ServiceAccount', ...reader }],
      },
    )
    // Without something to answer istiod would be silent: the certificate of an authority is no secret to it.
    const names = ['theirs', 'theirs-cacert', `${OTHER}/theirs`, 'istio-ca-secret', `${SYSTEM}/istio-ca-secret`]
    const secretsOf = async (identity: Identity) => {
      const node = { namespace: TEAM, kind: 'router' } as const
      const { resources = [] } = await ask(
        way,
        { identity },
        node,
        TYPES.secrets,
        ...names.map((name) => `kubernetes://${name}`),
      )
      return resources.map((one) => /kubernetes:\/\/([a-z0-9/-]+)/.exec(one.toString('latin1'))?.[1]).sort()
    }
    await eventually(async () => expect(await secretsOf(ada)).toEqual(['theirs-cacert']))
    expect(await secretsOf(await accountIdentity(way, TEAM, 'reader'))).toEqual(['theirs', 'theirs-cacert'])
  })

  test('gives the pull secret of a WasmPlugin to whoever says that it is one of its workloads', async () => {
    const metadata = { namespace: SYSTEM, name: 'e2e-plugin' }
    const auths = { 'registry.example': { auth: Buffer.from('user:secret').toString('base64') } }
    await apply(
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata,
        type: 'kubernetes.io/dockerconfigjson',
        stringData: { '.dockerconfigjson': JSON.stringify({ auths }) },
      },
      {
        apiVersion: 'extensions.istio.io/v1alpha1',
        kind: 'WasmPlugin',
        metadata,
        spec: {
          selector: { matchLabels: { app: 'e2e-nobody' } },
          url: 'oci://registry.example/plugin:1',
          imagePullSecret: metadata.name,
        },
      },
    )
    try {
      // As istiod 1.31 names what it makes of a WasmPlugin; a proxy learns the name with its listeners.
      const name = `extensions.istio.io/trafficextension/${SYSTEM}.${metadata.name}~istio-translated-wasmplugin`
      await eventually(async () => {
        const told = await asAda({ labels: { app: 'e2e-nobody' } }, TYPES.extensions, name)
        expect(tells(told, 'registry.example')).toBe(true)
        expect(tells(told, auths['registry.example'].auth)).toBe(true)
      })
    } finally {
      await kubectlOk(['delete', 'wasmplugin,secret', '-n', SYSTEM, metadata.name])
    }
  })

  test('lets a developer join a WorkloadGroup that names no account, of which grant warns', async () => {
    const group = (name: string, template: object) => ({
      apiVersion: 'networking.istio.io/v1',
      kind: 'WorkloadGroup',
      metadata: { namespace: TEAM, name },
      spec: { metadata: { labels: { app: name } }, template },
    })
    await apply(group('open', {}), group('closed', { serviceAccount: 'vms' }))
    await eventually(async () => {
      expect((await asAda({ joins: 'open' }, TYPES.clusters)).resources).toBeDefined()
    })
    expect(await asAda({ joins: 'closed' }, TYPES.clusters)).toMatchObject({
      status: UNKNOWN,
      message: expect.stringContaining('mismatch'),
    })
    const entries = await kubectlOk(['get', 'workloadentries', '-n', TEAM, '-o', 'name'])
    expect(entries.trim()).toBe('workloadentry.networking.istio.io/open-192.0.2.9')
    const { stderr } = await regctl(['grant', TEAM, 'team', '--developer', 'user:ada@example.org'])
    expect(stderr).toContain(`WorkloadGroup ${TEAM}/open`)
    expect(stderr).not.toContain(`WorkloadGroup ${TEAM}/closed`)
  })

  test('renews every certificate for whoever has it, after a revoke too; the registry takes none of them', async () => {
    const upload = { method: 'POST', path: '/v2/team/app/blobs/uploads/' }
    const builder = await certify(way, await accountIdentity(way, OTHER, 'default'))
    expect((await call(way, builder, upload)).status).toBe(403)
    const before = await certify(way, ada)
    expect((await call(way, before, upload)).status).toBe(202)
    await regctlOk(['revoke', TEAM, 'team', '--developer', 'user:ada@example.org'])
    const after = await certify(way, before)
    expect((await call(way, after, upload)).status).toBe(403)
    const renewed = await grantTo(TEAM, 'user:ada@example.org', 'team')
    expect(renewed).not.toBe(account)
    expect((await call(way, await certify(way, after), upload)).status).toBe(403)
  })
})
