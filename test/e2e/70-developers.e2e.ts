import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, NODES, namespace, pod, REGISTRY, ready, remove, SERVICE, statuses } from './attacks/kit.ts'
import { askOne, clients, manifest, onHost, someNodes } from './clients.ts'
import { eventually, kubectl, kubectlOk, regctl, regctlOk, slow } from './cluster.ts'
import { passAll, refused, withoutAdmission } from './developers/gateways.ts'
import { moreRights } from './developers/rights.ts'
import { ADA, developerOf, grantTo, INGRESS, NOBODY, problems } from './developers/stage.ts'
import { accountIdentity, at, certify, type Identity, tokenOf, type Way } from './developers/way-in.ts'
import { answering, call, DEVELOPERS_SNI, push, REGISTRY_ID, uploadTo } from './developers/workstation.ts'

const TEAM = 'e2e-team-dev'
const CI = 'e2e-ci-dev'
const EVIL = 'e2e-evil-dev'
const NO_IDENTITY: Identity = { certificate: '', key: '' }
const DEVELOPERS_HOST = `kube-registry-developers.${REGISTRY}.svc.cluster.local`

const host = { namespace: EVIL, name: 'host' }
const serviceAccount = (name: string) => ['--as', `system:serviceaccount:${TEAM}:${name}`]

let way: Way
let account: string
let ada: Identity

beforeAll(async () => {
  await remove('namespace', [EVIL])
  await apply(namespace(EVIL, true))
  const [node] = await someNodes()
  const bystander = clients(onHost(host.namespace, host.name, node?.name ?? ''))
  ;({ way, account, ada } = await developerOf(TEAM, CI))
  await regctlOk(['grant', CI, 'ci'])
  await bystander
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM, CI, EVIL])
})

describe('a developer', () => {
  test('pushes from outside, as the account, and a node pulls it', async () => {
    const digest = await push(way, ada, 'team/app', '1')
    const seen = await call(way, ada, { method: 'HEAD', path: '/v2/team/app/manifests/1' })
    expect([seen.status, seen.headers['docker-content-digest']]).toEqual([200, digest])
    expect((await askOne(host, manifest('team/app', digest))).status).toBe(200)
  })

  test('is refused all else, and told the command that would allow it', async () => {
    const other = await call(way, ada, uploadTo('other/app'))
    expect(other).toMatchObject({ status: 403, headers: { 'content-type': 'application/json' } })
    expect(JSON.parse(other.body)).toEqual({
      errors: [
        {
          code: 'DENIED',
          message: `spiffe://cluster.local/ns/${TEAM}/sa/${account} may not POST /v2/other/app/blobs/uploads/; to allow it: regctl grant NAMESPACE REPOSITORY --developer user:NAME`,
        },
      ],
    })
    const asked = [
      { path: '/v2/_catalog' },
      { method: 'DELETE', path: '/v2/team/app/manifests/1' },
      { method: 'PUT', path: '/v2/other/app/manifests/1' },
      { method: 'POST', path: '/v2/teamX/blobs/uploads/' },
      { path: '/v2/ci/app/tags/list' },
      { path: '/metrics' },
    ]
    const statusOf = async (one: (typeof asked)[number]) => (await call(way, ada, one)).status
    expect(await Promise.all(asked.map(statusOf))).toEqual(asked.map(() => 403))
    // What needs no word of the policy's: paths that other programs read otherwise.
    expect(await statusOf({ path: '/v2/team/..%2f..%2fother/app/manifests/1' })).toBe(400)
  })

  test('has the right to one token and one ConfigMap in all of the cluster, and the account has none', async () => {
    const places = [TEAM, REGISTRY, INGRESS, NODES, CI, 'istio-system', 'kube-system', 'default']
    const [theirs, accounts] = await Promise.all(
      [
        { who: ADA, than: NOBODY },
        { who: serviceAccount(account), than: serviceAccount('somebody') },
      ].map(({ who, than }) => Promise.all(places.map((place) => moreRights(place, who, than)))),
    )
    const one = (verb: string, resource: string, name: string) => [
      { verbs: [verb], apiGroups: [''], resources: [resource], resourceNames: [name] },
    ]
    expect(Object.fromEntries(places.map((place, index) => [place, theirs?.[index]]))).toEqual({
      ...Object.fromEntries(places.map((place) => [place, []])),
      [TEAM]: one('create', 'serviceaccounts/token', account),
      [REGISTRY]: one('get', 'configmaps', 'developer-access'),
    })
    expect(accounts).toEqual(places.map(() => []))
  })

  test('gets no other token, no other object, and no way into a pod', async () => {
    const tries = [
      ['create', 'token', 'default', '-n', TEAM],
      ['create', 'token', 'kube-registry', '-n', REGISTRY],
      ['get', 'configmap', '-n', REGISTRY],
      ['get', 'configmap', 'regctl', '-n', REGISTRY],
      ['get', 'serviceaccount', account, '-n', TEAM],
      ['get', 'pods', '-n', INGRESS],
      ['port-forward', '-n', REGISTRY, 'deployment/kube-registry', ':5000'],
      ['port-forward', '-n', INGRESS, 'deployment/registry-ingress', ':15443'],
    ]
    const ended = await Promise.all(tries.map((argv) => kubectl([...argv, ...ADA])))
    expect(ended.filter(({ stderr }) => !/forbidden/i.test(stderr))).toEqual([])
    expect((await tokenOf(TEAM, account, ...NOBODY)).stderr).toMatch(/forbidden/i)
  })

  test('may be a group', async () => {
    const team = await grantTo(TEAM, 'group:team-a', 'shared', '--read-only')
    expect((await tokenOf(TEAM, team, ...ADA)).stderr).toMatch(/forbidden/i)
    const member = await tokenOf(TEAM, team, ...ADA, '--as-group', 'team-a')
    const identity = await certify(way, member.stdout.trim())
    expect((await call(way, identity, { path: '/v2/' })).status).toBe(200)
    expect((await call(way, identity, uploadTo('shared/app'))).status).toBe(403)
    expect((await call(way, identity, uploadTo('team/app'))).status).toBe(403)
    expect(JSON.parse(await regctlOk(['grants', '--json'])).grants).toContainEqual({
      namespace: TEAM,
      serviceAccount: team,
      repository: 'shared',
      exact: false,
      readOnly: true,
      developer: 'group:team-a',
    })
  })
})

describe('an account', () => {
  test('that a pod runs as, that RBAC binds, or that is granted to others is refused', async () => {
    const metadata = (name: string) => ({ namespace: TEAM, name })
    const rbac = { apiGroup: 'rbac.authorization.k8s.io' }
    await apply(
      ...['used', 'bound'].map((name) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadata(name) })),
      pod(TEAM, 'user', { spec: { serviceAccountName: 'used', nodeName: 'nowhere' } }),
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: metadata('bound'),
        roleRef: { ...rbac, kind: 'ClusterRole', name: 'view' },
        subjects: [{ kind: 'ServiceAccount', ...metadata('bound') }],
      },
    )
    const asked = (name: string, who: string) =>
      regctl(['grant', TEAM, 'team', '--developer', who, '--service-account', name])
    const ended = await Promise.all([
      asked('used', 'user:eve'),
      asked('bound', 'user:eve'),
      asked(account, 'user:eve'),
      regctl(['grant', TEAM, 'team', '--service-account', account]),
    ])
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([4, 4, 4, 4])
    const said = ended.map(({ stderr }) => stderr)
    expect(said[0]).toContain(`${TEAM}/used is not for a developer alone: pod user runs as it`)
    expect(said[1]).toContain(`${TEAM}/bound is not for a developer alone: RoleBinding ${TEAM}/bound gives it rights`)
    expect(said[2]).toContain(`${TEAM}/${account} is for user:ada@example.org`)
    expect(said[3]).toContain(`${TEAM}/${account} is for user:ada@example.org`)
    expect((await call(way, ada, uploadTo('team/app'))).status).toBe(202)
    const left = await kubectlOk(['get', 'roles,rolebindings', '-n', TEAM, '-o', 'name'])
    expect(left.split('\n').filter((name) => name.includes('/regctl-'))).toHaveLength(4)
  })

  test("that a developer has is worth nothing at the builders' port, also where all of its namespace is granted", async () => {
    await regctlOk(['grant', TEAM, 'team', '--inject'])
    const labels = { 'sidecar.istio.io/inject': 'true' }
    await apply(
      pod(TEAM, 'as-ada', { labels, spec: { serviceAccountName: account } }),
      pod(TEAM, 'builder', { labels }),
    )
    await ready(TEAM, 'as-ada', 'builder')
    const asked = [`${SERVICE}/v2/`, `-X POST ${SERVICE}/v2/team/app/blobs/uploads/`]
    expect(await statuses(TEAM, 'builder', ...asked)).toEqual(['200', '202'])
    expect(await statuses(TEAM, 'as-ada', ...asked)).toEqual(['403', '403'])
    const theirs = asked.map((one) =>
      one.replace('kube-registry.', 'kube-registry-developers.').replace(':5000', ':5443'),
    )
    expect(await statuses(TEAM, 'builder', ...theirs)).toEqual(['403', '403'])
    await kubectlOk(['delete', 'pod', '-n', TEAM, 'as-ada', 'builder'])
  })
})

describe('from outside', () => {
  test("every workload's certificate is worth nothing: builder, node, registry, gateway, stranger", async () => {
    const workloads = [
      [CI, 'default'],
      [NODES, 'registry-node'],
      [REGISTRY, 'kube-registry'],
      [INGRESS, 'registry-ingress'],
      [EVIL, 'default'],
    ] as const
    const asked = [
      { path: '/v2/' },
      { path: '/v2/team/app/manifests/1' },
      { path: '/v2/_catalog' },
      uploadTo('ci/app'),
      uploadTo('team/app'),
      { method: 'PUT', path: '/v2/ci/app/manifests/1' },
    ]
    const identities = await Promise.all(workloads.map(([home, name]) => accountIdentity(way, home, name)))
    const own = { ...way, ...at(way.registryAddresses[0] ?? '') }
    const worthNothing = async () => {
      for (const place of [way, own])
        for (const identity of identities) {
          const answers = await Promise.all(asked.map((one) => call(place, identity, one)))
          expect(answers.map(({ status }) => status)).toEqual(asked.map(() => 403))
        }
    }
    await worthNothing()
    // Not by somebody's policy that lets everybody in, either: to developers it gives what only a grant's absence kept from them.
    const all = { namespace: 'istio-system', name: 'e2e-allow-all' }
    await apply({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: all,
      spec: { rules: [{}] },
    })
    try {
      const tags = { path: '/v2/ci/app/tags/list' }
      await eventually(async () => expect((await call(way, ada, tags)).status).not.toBe(403), { every: 200 })
      await worthNothing()
      expect((await call(way, ada, uploadTo('ci/app'))).status).toBe(403)
      expect((await call(way, ada, { path: '/v2/_catalog' })).status).toBe(403)
    } finally {
      await kubectlOk(['delete', 'authorizationpolicy', '-n', all.namespace, all.name])
    }
    expect((await call(way, ada, uploadTo('team/app'))).status).toBe(202)
  })

  test("the gateway answers to two names and no others, and to the registry's for a certificate alone", async () => {
    const names = [
      `outbound_.5000_._.kube-registry.${REGISTRY}.svc.cluster.local`,
      `outbound_.5443_._.kube-registry.${REGISTRY}.svc.cluster.local`,
      `outbound_.15012_._.istiod.istio-system.svc.cluster.local`,
      `outbound_.443_._.istiod.istio-system.svc.cluster.local`,
      'outbound_.53_._.kube-dns.kube-system.svc.cluster.local',
      'outbound_.443_._.kubernetes.default.svc.cluster.local',
      `kube-registry-developers.${REGISTRY}.svc.cluster.local`,
      'istiod.istio-system.svc.cluster.local',
      `${way.authority}.evil.example`,
      `a.${way.authority}`,
      'kubernetes.default.svc',
      'localhost',
    ]
    const tried = [
      ...names.flatMap((sni) =>
        [['istio'], ['h2'], ['istio', 'h2', 'http/1.1']].map((alpn) => ({ sni, alpn, identity: ada })),
      ),
      { identity: ada },
      { sni: DEVELOPERS_SNI, alpn: ['h2'], identity: ada },
      { sni: DEVELOPERS_SNI, identity: ada },
    ]
    const answers = await Promise.all(tried.map(async (one) => [one, await answering(way, one)] as const))
    expect(answers.filter(([, who]) => who !== undefined)).toEqual([])
    const served = { sni: DEVELOPERS_SNI, alpn: ['istio'] }
    expect(await answering(way, { ...served, identity: ada })).toBe(`URI:${REGISTRY_ID}`)
    expect(await answering(way, { sni: way.authority, alpn: ['h2'] })).toContain(`DNS:${way.authority}`)
    await expect(call(way, NO_IDENTITY, { path: '/v2/' })).rejects.toThrow()
  })

  test('istiod signs nothing without a token that is meant for it', async () => {
    await expect(certify(way, 'nonsense')).rejects.toThrow(/istiod answers (7|16)/)
    const forTheApi = await kubectlOk(['create', 'token', account, '-n', TEAM, ...ADA])
    await expect(certify(way, forTheApi.trim())).rejects.toThrow(/istiod answers (7|16)/)
  })

  test('mesh objects of another namespace for both names lead nobody astray', async () => {
    const hosts = [DEVELOPERS_HOST, 'istiod.istio-system.svc.cluster.local', way.authority]
    const metadata = { namespace: EVIL, name: 'hijack' }
    const networking = 'networking.istio.io/v1'
    const elsewhere = { destination: { host: 'kubernetes.default.svc.cluster.local', port: { number: 443 } } }
    await apply(
      {
        apiVersion: networking,
        kind: 'ServiceEntry',
        metadata,
        spec: {
          hosts,
          exportTo: ['*'],
          location: 'MESH_EXTERNAL',
          resolution: 'STATIC',
          endpoints: [{ address: '192.0.2.66' }],
          ports: [5443, 15_012].map((number) => ({ number, name: `tls-${number}`, protocol: 'TLS' })),
        },
      },
      ...hosts.map((name, index) => ({
        apiVersion: networking,
        kind: 'DestinationRule',
        metadata: { ...metadata, name: `hijack-${index}` },
        spec: { host: name, exportTo: ['*'], trafficPolicy: { tls: { mode: 'SIMPLE' } } },
      })),
      {
        apiVersion: networking,
        kind: 'VirtualService',
        metadata,
        spec: {
          hosts,
          gateways: [`${INGRESS}/registry-ingress`, 'mesh'],
          exportTo: ['*'],
          tls: [{ match: [{ port: 15_443, sniHosts: hosts }], route: [elsewhere] }],
        },
      },
    )
    try {
      for (let round = 0; round < 8; round++) {
        await pause(250)
        expect((await call(way, ada, { path: '/v2/' })).status).toBe(200)
        expect(await answering(way, { sni: way.authority, alpn: ['h2'] })).toContain(`DNS:${way.authority}`)
      }
    } finally {
      await kubectlOk(['delete', 'serviceentry,destinationrule,virtualservice', '--all', '-n', EVIL])
    }
  })
})

describe("somebody else's Gateway", () => {
  const labels = { app: 'registry-ingress', istio: 'registry-ingress' }

  test('is not admitted where it might attach, made or changed, and is where it cannot', async () => {
    const own = passAll(EVIL, 'own', { app: 'their-gateway', 'topology.istio.io/cluster': 'Kubernetes' })
    await apply(own)
    const node = (await someNodes())[0]?.name ?? ''
    const hash = await kubectlOk([
      ...['get', 'pods', '-n', INGRESS, '-o', 'jsonpath={.items[0].metadata.labels.pod-template-hash}'],
    ])
    const attacks = {
      label: passAll(EVIL, 'label', { app: 'registry-ingress' }),
      labels: passAll(EVIL, 'labels', labels),
      none: passAll(EVIL, 'none'),
      empty: passAll(EVIL, 'empty', {}),
      hostname: passAll(EVIL, 'hostname', { 'kubernetes.io/hostname': node }),
      cluster: passAll(EVIL, 'cluster', { 'topology.istio.io/cluster': 'Kubernetes' }),
      mixed: passAll(EVIL, 'mixed', { ...labels, 'topology.istio.io/cluster': 'Kubernetes' }),
      hash: passAll(EVIL, 'hash', { 'pod-template-hash': hash }),
      service: passAll(
        EVIL,
        'service',
        { app: 'their-gateway' },
        {
          'internal.istio.io/gateway-service': `registry-ingress.${INGRESS}.svc.cluster.local`,
          'internal.istio.io/parent-namespace': INGRESS,
        },
      ),
      changed: passAll(EVIL, 'own', labels),
      node: passAll(NODES, 'node', labels),
      root: passAll('istio-system', 'root', labels),
    }
    const said = await refused(...Object.values(attacks), passAll(EVIL, 'fine', { istio: 'ingressgateway' }))
    const names = Object.entries(attacks).map(([name]) => (name === 'changed' ? 'own' : name))
    expect(Object.keys(said).sort()).toEqual(names.sort())
    expect(said.label).toContain(`could attach to the registry's developer gateway (namespace ${INGRESS})`)
  })

  slow('that is there before the rule is found, and would have opened the mesh', async () => {
    const builders = {
      sni: `outbound_.5000_._.${REGISTRY}.${REGISTRY}.svc.cluster.local`,
      alpn: ['istio'],
      identity: ada,
    }
    expect(await answering(way, builders)).toBeUndefined()
    await withoutAdmission(`regctl-gateways-${REGISTRY}`, passAll(EVIL, 'rogue', labels))
    try {
      await eventually(async () => expect(await answering(way, builders)).toBe(`URI:${REGISTRY_ID}`), { every: 200 })
      const up = await regctl(['up'])
      expect([up.exitCode, up.stderr]).toEqual([4, expect.stringContaining(`Gateway ${EVIL}/rogue would attach`)])
      expect(await problems()).toEqual(
        expect.arrayContaining([
          expect.stringContaining(`Gateway ${EVIL}/rogue attaches to the developers' gateway`),
          expect.stringMatching(/the developers' gateway: pod .* it passes outbound_\.5000_.* on as well/),
        ]),
      )
      // One that would pass all names is refused by Envoy, and with it every later change.
      await apply(passAll(EVIL, 'rogue', labels, {}, ['*.local']))
      const frozen = expect.stringMatching(/the developers' gateway: pod .* it refused an update of listener/)
      await eventually(async () => expect(await problems()).toContainEqual(frozen))
    } finally {
      await kubectlOk(['delete', 'gateways.networking.istio.io', '-n', EVIL, 'rogue', '--ignore-not-found'])
    }
    await regctlOk(['up'])
    expect(await answering(way, builders)).toBeUndefined()
    // The API server takes a second to heed a rule that is new.
    await eventually(async () => {
      expect(Object.keys(await refused(passAll(EVIL, 'rogue', labels)))).toEqual(['rogue'])
    })
  })
})
