import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, namespace, pod, REGISTRY, remove } from './attacks/kit.ts'
import { builder, clients, codes, ensureBuilder, manifest, someNodes, uploadTo } from './clients.ts'
import { eventually, kubectl, kubectlOk, type Run, regctl, regctlOk } from './cluster.ts'
import { withoutAdmission } from './developers/gateways.ts'
import { problems } from './developers/stage.ts'
import { type Certificate, certificateOf, forget, hostsFile, outside, secretOf } from './expose/certificate.ts'
import { gatewayLabels, openGateway } from './expose/intruders.ts'
import { type Caller, curls, EXPOSE, ensureHome, nodePort, pushImage } from './expose/stage.ts'
import { type Docker, startDocker } from './forward/docker.ts'
import { upFlags } from './images.ts'

const HOST = 'registry.e2e.example'
const OTHER = 'other.e2e.example'
const EVIL = 'e2e-evil-expose'
const stranger = { namespace: EVIL, name: 'stranger' }

let own: Certificate
let old: Certificate
let docker: Docker
let hosts: string
let ip: string
let port: number
let caller: Caller
let exposed: string

const client = (...argv: readonly string[]): Promise<Run> => outside(hosts, own.certificate, argv)

beforeAll(async () => {
  await remove('namespace', [EVIL, EXPOSE])
  ;[own, old] = await Promise.all([certificateOf(HOST), certificateOf(HOST, -1)])
  ip = (await someNodes())[0]?.ip ?? ''
  hosts = await hostsFile(own.directory, ip, HOST, OTHER)
  const starting = startDocker({ hosts, roots: own.certificate })
  await regctlOk(['up', ...upFlags])
  await Promise.all([ensureHome(), ensureBuilder(), apply(namespace(EVIL, false))])
  const waiting = clients(pod(EVIL, stranger.name))
  ;[exposed] = await Promise.all([
    pushImage('example/public'),
    pushImage('example/secret'),
    secretOf(EXPOSE, 'web', own),
  ])
  await waiting
  docker = await starting
})

afterAll(async () => {
  await docker?.[Symbol.asyncDispose]()
  await regctlOk(['unexpose', HOST])
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', EVIL, EXPOSE])
  await Promise.all([forget(own), forget(old)])
})

describe('an exposure', () => {
  test('that cannot work is refused, with what to do, and nothing is applied', async () => {
    await secretOf(EXPOSE, 'old', old)
    const generic = ['create', 'secret', 'generic', '-n', EXPOSE]
    await kubectlOk([...generic, 'opaque', `--from-file=tls.crt=${own.certificate}`])
    const tries: readonly (readonly [readonly string[], number, string])[] = [
      [[HOST], 2, 'NO_TLS'],
      [[`https://${HOST}`, '--tls', 'web'], 2, 'INVALID_HOST'],
      [['registry', '--tls', 'web'], 2, 'INVALID_HOST'],
      [[HOST, 'example/Public', '--tls', 'web'], 2, 'INVALID_REPOSITORY'],
      [[HOST, 'example/public:1', '--tls', 'web'], 2, 'INVALID_REPOSITORY'],
      [[HOST, '--tls', 'none'], 3, 'NO_CERTIFICATE'],
      [[HOST, '--tls', 'opaque'], 3, 'BAD_CERTIFICATE'],
      [[HOST, '--tls', 'old'], 3, 'BAD_CERTIFICATE'],
      [[OTHER, '--tls', 'web'], 3, 'BAD_CERTIFICATE'],
    ]
    const ended = await Promise.all(tries.map(([argv]) => regctl(['expose', ...argv, '--json'])))
    const told = ended.map(({ exitCode, stdout }) => [exitCode, JSON.parse(stdout).error.code])
    expect(told).toEqual(tries.map(([, exitCode, code]) => [exitCode, code]))
    const said = ended.map(({ stdout }) => JSON.parse(stdout).error.message as string)
    expect(said[5]).toContain(`Secret ${EXPOSE}/none does not exist`)
    expect(said[6]).toContain('its type is "Opaque", not kubernetes.io/tls')
    expect(said[7]).toContain('its certificate expired on ')
    expect(said[8]).toContain(`its certificate is for ${HOST}, not for ${OTHER}`)
    const left = await kubectlOk([
      'get',
      'deployments,services,gateways.networking.istio.io',
      '-n',
      EXPOSE,
      '-o',
      'name',
    ])
    expect(left).toBe('')
    const policies = await kubectlOk(['get', 'authorizationpolicies', '-n', REGISTRY, '-o', 'name'])
    expect(policies).not.toContain('/expose-')
  })

  test('of a host that is another Gateway of the cluster is refused', async () => {
    const server = {
      port: { number: 443, name: 'https', protocol: 'HTTPS' },
      hosts: [HOST],
      tls: { mode: 'PASSTHROUGH' },
    }
    const taken = { namespace: EVIL, name: 'taken' }
    await apply({
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: taken,
      spec: { selector: { istio: 'ingressgateway' }, servers: [server] },
    })
    const { exitCode, stderr } = await regctl(['expose', HOST, '--tls', 'web'])
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining(`Gateway ${EVIL}/taken's already`)])
    await kubectlOk(['delete', 'gateways.networking.istio.io', '-n', EVIL, 'taken'])
  })

  test('lets crane, docker and curl pull by TLS from outside what is exposed', async () => {
    const told = await regctlOk(['expose', HOST, 'example/public', '--tls', 'web', '--type', 'NodePort', '--json'])
    port = await nodePort()
    caller = { host: HOST, ip, port, roots: own.certificate }
    expect(JSON.parse(told)).toMatchObject({ changed: true, addresses: expect.arrayContaining([`${ip}:${port}`]) })
    const image = `${HOST}:${port}/example/public:1`
    expect((await client('crane', 'digest', image)).stdout.trim()).toBe(exposed)
    expect((await client('crane', 'export', image, '-')).stdout).toContain('example/public')
    expect((await client('crane', 'ls', `${HOST}:${port}/example/public`)).stdout).toBe('1')
    const pulled = await docker.run(['pull', image])
    expect(pulled.stdout).toContain(`Digest: ${exposed}`)
    expect(await curls(caller, { ping: ['/v2/'], blob: ['/v2/example/public/manifests/1'] })).toEqual({
      ping: '200',
      blob: '200',
    })
  })

  test('lets nobody write, and nobody read anything else', async () => {
    const image = (name: string) => `${HOST}:${port}/${name}:1`
    expect((await docker.run(['push', image('example/public')])).stderr).toMatch(/denied|403/i)
    expect((await client('crane', 'copy', image('example/public'), image('example/public2'))).stderr).toMatch(
      /DENIED|403/,
    )
    expect((await client('crane', 'digest', image('example/secret'))).exitCode).toBe(1)
    expect((await docker.run(['pull', image('example/secret')])).exitCode).toBe(1)
    const builders = `By=spiffe://cluster.local/ns/x/sa/y;URI=spiffe://cluster.local/ns/${builder.namespace}/sa/default`
    const answers = await curls(caller, {
      catalog: ['/v2/_catalog'],
      secret: ['/v2/example/secret/manifests/1'],
      'tags of another': ['/v2/example/secret/tags/list'],
      below: ['/v2/example/public/below/manifests/1'],
      'start of a name': ['/v2/example/public2/manifests/1'],
      upload: ['/v2/example/public/blobs/uploads/', '-X', 'POST'],
      mount: ['/v2/example/public/blobs/uploads/?mount=sha256:0&from=example/secret', '-X', 'POST'],
      put: ['/v2/example/public/manifests/1', '-X', 'PUT'],
      delete: ['/v2/example/public/manifests/1', '-X', 'DELETE'],
      options: ['/v2/example/public/manifests/1', '-X', 'OPTIONS'],
      metrics: ['/metrics'],
      'a builder by header': [
        '/v2/example/public/blobs/uploads/',
        '-X',
        'POST',
        '-H',
        `X-Forwarded-Client-Cert: ${builders}`,
      ],
      'another method by header': ['/v2/example/secret/manifests/1', '-H', 'X-HTTP-Method-Override: GET'],
    })
    expect(answers).toEqual(Object.fromEntries(Object.keys(answers).map((name) => [name, '403'])))
    const astray = await curls(caller, {
      'node as host': ['/v2/example/public/manifests/1', '-H', 'Host: localhost:5000'],
      'another host': ['/v2/example/public/manifests/1', '-H', `Host: ${OTHER}`],
      'no host': ['/v2/example/public/manifests/1', '-H', 'Host;', '--http1.0'],
    })
    expect(Object.values(astray).filter((code) => code === '200')).toEqual([])
    const around = await curls(caller, {
      dots: ['/v2/example/public/../secret/manifests/1'],
      encoded: ['/v2/example/public/%2e%2e/secret/manifests/1'],
      'encoded slash': ['/v2/example/public/..%2fsecret/manifests/1'],
      slashes: ['/v2//example/secret/manifests/1'],
      backslash: ['/v2/example/public/..\\secret/manifests/1'],
      parameter: ['/v2/example/public/..;x/secret/manifests/1'],
    })
    expect(Object.values(around).filter((code) => code === '200')).toEqual([])
    // Another name in the TLS hello finds nobody.
    expect(await curls({ ...caller, host: OTHER }, { other: ['/v2/', '-k'] })).toEqual({ other: '000' })
  })

  test('is told by status and grants, stays as it is, and leaves builders and nodes as they were', async () => {
    const { exposures } = JSON.parse((await regctl(['status', '--json'])).stdout)
    expect(exposures).toMatchObject([{ host: HOST, repositories: ['example/public'], way: 'secret', secret: 'web' }])
    expect(await problems()).toEqual([])
    expect(await regctlOk(['grants'])).toContain(`${HOST}`)
    const again = JSON.parse(await regctlOk(['expose', HOST, 'example/public', '--json']))
    expect(again).toMatchObject({ changed: false, exposure: { secret: 'web' } })
    const inside = await codes(builder, { read: manifest('example/secret', '1'), push: uploadTo('example/app') })
    expect(inside).toEqual({ read: 200, push: 202 })
    expect(JSON.parse(await regctlOk(['up', '--json']))).toMatchObject({ changed: [], removed: [] })
  })

  test('is narrowed with proof, and widened', async () => {
    const both = { public: ['/v2/example/public/manifests/1'], secret: ['/v2/example/secret/manifests/1'] } as const
    // A connection of the gateway's that was idle before has one request under the policy before.
    const become = (public_: string, secret: string) =>
      eventually(async () => expect(await curls(caller, both)).toEqual({ public: public_, secret }), { every: 200 })
    await regctlOk(['expose', HOST, 'example/*'])
    await become('200', '200')
    await regctlOk(['expose', HOST])
    await become('200', '200')
    expect(await curls(caller, { catalog: ['/v2/_catalog'] })).toEqual({ catalog: '403' })
    await regctlOk(['expose', HOST, 'example/public'])
    await become('200', '403')
  })
})

describe('somebody else', () => {
  test('whose Gateway was there before the rule reads no more than is exposed, and is found', async () => {
    await withoutAdmission(`regctl-exposing-gateways-${REGISTRY}`, openGateway(EVIL, 'rogue', gatewayLabels))
    await apply({
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { namespace: EVIL, name: 'rogue' },
      spec: {
        hosts: ['*'],
        gateways: ['rogue'],
        http: [
          {
            rewrite: { authority: HOST },
            route: [{ destination: { host: `${REGISTRY}.${REGISTRY}.svc.cluster.local`, port: { number: 5000 } } }],
          },
        ],
      },
    })
    try {
      const address = await kubectlOk(['get', 'pods', '-n', EXPOSE, '-o', 'jsonpath={.items[0].status.podIP}'])
      const ask = (repository: string) => ({ ...manifest(repository, '1', `http://${address}:8081`) })
      await eventually(async () => {
        expect(await codes(stranger, { exposed: ask('example/public'), secret: ask('example/secret') })).toEqual({
          exposed: 200,
          secret: 403,
        })
      })
      const again = await regctl(['expose', HOST, 'example/public'])
      expect([again.exitCode, again.stderr]).toEqual([4, expect.stringContaining(`Gateway ${EVIL}/rogue would attach`)])
      expect(await problems()).toEqual(
        expect.arrayContaining([
          expect.stringContaining(`Gateway ${EVIL}/rogue attaches to the exposing gateway`),
          expect.stringMatching(/the exposing gateway: pod .* it listens on port 8081 as well/),
        ]),
      )
    } finally {
      await kubectl([
        'delete',
        'gateways.networking.istio.io,virtualservice',
        '-n',
        EVIL,
        'rogue',
        '--ignore-not-found',
      ])
    }
    await regctlOk(['up'])
    await eventually(async () => expect(await problems()).toEqual([]))
  })
})

describe('unexpose', () => {
  test('leaves nothing but the certificate, and nobody reads any more', async () => {
    const { unexposed, provenIn } = JSON.parse(await regctlOk(['unexpose', HOST, '--json']))
    expect([unexposed.host, provenIn]).toEqual([HOST, 1])
    await eventually(async () => expect(await curls(caller, { ping: ['/v2/'] })).toEqual({ ping: '000' }))
    const kinds =
      'deployments,services,serviceaccounts,roles,rolebindings,gateways.networking.istio.io,virtualservices,secrets'
    const left = (await kubectlOk(['get', kinds, '-n', EXPOSE, '-o', 'name'])).trim().split('\n').sort()
    expect(left).toEqual(['secret/old', 'secret/opaque', 'secret/web', 'serviceaccount/default'])
    const ours = await kubectlOk(['get', 'validatingadmissionpolicies,authorizationpolicies', '-A', '-o', 'name'])
    expect(ours).not.toContain('expos')
    const fence = await kubectlOk(['get', 'authorizationpolicy', '-n', REGISTRY, 'fence', '-o', 'json'])
    expect(fence).not.toContain(EXPOSE)
    expect(await regctlOk(['unexpose', HOST])).toContain('is not exposed')
  })

  test('with nobody else’s things in it takes the namespace along', async () => {
    await kubectlOk(['delete', 'secrets', '-n', EXPOSE, '--all'])
    await regctlOk(['unexpose', HOST])
    expect((await kubectl(['get', 'namespace', EXPOSE])).stderr).toContain('not found')
  })
})
