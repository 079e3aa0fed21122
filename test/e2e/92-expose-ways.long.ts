import { readFile, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, NODES, namespace, REGISTRY, remove } from './attacks/kit.ts'
import { builder, codes, ensureBuilder, ensureNamespaces, manifest, someNodes, uploadTo } from './clients.ts'
import { eventually, kubectlOk, regctl, regctlOk } from './cluster.ts'
import { grantTo, problems } from './developers/stage.ts'
import { accountIdentity, type Identity, type Way } from './developers/way-in.ts'
import { answering, call, DEVELOPERS_SNI, push, REGISTRY_ID, uploadTo as uploading } from './developers/workstation.ts'
import { type Certificate, certificateOf, forget, hostsFile, outside, secretOf } from './expose/certificate.ts'
import { FRONT, frontPort, startFront } from './expose/front.ts'
import { istiod } from './expose/istiod.ts'
import { curls, EXPOSE, nodePort, pushImage } from './expose/stage.ts'
import { type Docker, startDocker } from './forward/docker.ts'
import { upFlags } from './images.ts'

const HOST = 'ways.e2e.example'
const TEAM = 'e2e-team-expose'
const EVIL = 'e2e-evil-ways'

let own: Certificate
let theirs: Certificate
let ip: string

beforeAll(async () => {
  await remove('namespace', [TEAM, EVIL, EXPOSE])
  ;[own, theirs] = await Promise.all([certificateOf(HOST), certificateOf('any.e2e.example')])
  ip = (await someNodes())[0]?.ip ?? ''
  // Otherwise the port for those outside is there before, and after.
  await regctlOk(['up', ...upFlags, '--no-developer-ingress'])
  await Promise.all([ensureBuilder(), ensureNamespaces(TEAM), apply(namespace(EVIL, false)), startFront(theirs)])
  await Promise.all([pushImage('example/public'), pushImage('example/secret')])
})

afterAll(async () => {
  // The page's host is left where its test ends early.
  for (const host of [HOST, 'registry.example.org']) await regctl(['unexpose', host])
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM, EVIL, FRONT, EXPOSE])
  await Promise.all([forget(own), forget(theirs)])
})

describe("by somebody else's gateway", () => {
  const shared = ['expose', HOST, 'example/public', '--gateway', `${FRONT}/main`]
  const asks = {
    public: ['/v2/example/public/manifests/1'],
    secret: ['/v2/example/secret/manifests/1'],
    upload: ['/v2/example/public/blobs/uploads/', '-X', 'POST'],
  }

  test('nothing is exposed without consent, nor by one that is not there', async () => {
    const ended = await Promise.all([
      regctl(shared),
      regctl(['expose', HOST, '--gateway', `${FRONT}/none`, '--yes']),
      regctl(['expose', HOST, '--gateway', `${FRONT}/main`, '--tls', 'none', '--yes']),
    ])
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([2, 3, 3])
    expect(ended[0]?.stderr).toContain('whoever may make a VirtualService or a Gateway for it can read example/public')
    expect(ended[0]?.stderr).toContain('add --yes')
    expect(ended[1]?.stderr).toContain(`--gateway ${FRONT}/main`)
    expect(ended[2]?.stderr).toContain(`kubectl create secret tls none -n ${FRONT}`)
    const policies = await kubectlOk(['get', 'authorizationpolicies', '-n', REGISTRY, '-o', 'name'])
    expect(policies).not.toContain('/expose-')
  })

  test('everybody reads what is exposed by TLS, as does who rewrites there, and nobody more', async () => {
    await regctlOk([...shared, '--yes'])
    const [https, http] = await Promise.all([frontPort('https'), frontPort('http')])
    const caller = { host: HOST, ip, port: https, roots: theirs.certificate }
    const insecure = Object.fromEntries(Object.entries(asks).map(([name, ask]) => [name, [...ask, '-k']]))
    await eventually(async () => {
      expect(await curls(caller, insecure)).toEqual({ public: '200', secret: '403', upload: '403' })
    })
    const plain = await outside(await hostsFile(own.directory, ip, HOST), own.certificate, [
      ...['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `http://${HOST}:${http}/v2/`],
    ])
    expect(plain.stdout).toBe('404')
    await apply({
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { namespace: EVIL, name: 'rewriting' },
      spec: {
        hosts: ['any.e2e.example'],
        gateways: [`${FRONT}/main`],
        http: [
          {
            rewrite: { authority: HOST },
            route: [{ destination: { host: `${REGISTRY}.${REGISTRY}.svc.cluster.local`, port: { number: 5000 } } }],
          },
        ],
      },
    })
    const rewritten = { ...caller, host: 'any.e2e.example' }
    await eventually(async () => {
      expect(await curls(rewritten, asks)).toEqual({ public: '200', secret: '403', upload: '403' })
    })
    expect(await problems()).toEqual([])
    expect(JSON.parse(await regctlOk(['up', '--json']))).toMatchObject({ changed: [], removed: [] })
  })

  test('a certificate of its own is shown for the host, and unexpose takes all of it along', async () => {
    await secretOf(FRONT, 'own', own)
    await regctlOk([...shared, '--tls', 'own', '--yes'])
    const caller = { host: HOST, ip, port: await frontPort('https'), roots: own.certificate }
    await eventually(async () => {
      expect(await curls(caller, asks)).toEqual({ public: '200', secret: '403', upload: '403' })
    })
    await regctlOk(['unexpose', HOST])
    await eventually(async () => expect((await curls(caller, asks)).public).not.toBe('200'))
    const kinds = 'gateways.networking.istio.io,virtualservices,authorizationpolicies'
    expect(await kubectlOk(['get', kinds, '-n', REGISTRY, '-o', 'name'])).not.toContain('expose')
  })
})

describe('by certificates of the mesh', () => {
  let way: Way
  let ada: Identity
  let builders: Identity
  let nodes: Identity

  beforeAll(async () => {
    await regctlOk(['expose', HOST, '--tls', 'istio', '--type', 'NodePort'])
    const account = await grantTo(TEAM, 'user:ada@example.org', 'team')
    // kubectl's one connection ends with the first stream that does, so each has its own.
    const identityOf = async (namespace: string, name: string) => {
      await using control = await istiod()
      // Awaited, for what it goes through ends with this function.
      return await accountIdentity(control.way, namespace, name)
    }
    ada = await identityOf(TEAM, account)
    builders = await identityOf(builder.namespace, 'default')
    nodes = await identityOf(NODES, 'registry-node')
    await using control = await istiod()
    way = { ...control.way, host: ip, port: await nodePort() }
  })

  test('who was granted for outside pushes and pulls, end to end', async () => {
    const digest = await push(way, ada, 'team/app', '1')
    const seen = await call(way, ada, { method: 'HEAD', path: '/v2/team/app/manifests/1' })
    expect([seen.status, seen.headers['docker-content-digest']]).toEqual([200, digest])
    expect((await call(way, ada, uploading('example/app'))).status).toBe(403)
    expect(await answering(way, { sni: HOST, identity: ada })).toBe(`URI:${REGISTRY_ID}`)
    const files = { certificate: join(own.directory, 'ada.pem'), key: join(own.directory, 'ada.key') }
    await Promise.all([writeFile(files.certificate, ada.certificate), writeFile(files.key, ada.key)])
    const shown = ['-k', '--cert', files.certificate, '--key', files.key]
    const caller = { host: HOST, ip, port: way.port, roots: own.certificate }
    expect(await curls(caller, { ping: ['/v2/', ...shown], nobody: ['/v2/', '-k'] })).toEqual({
      ping: '200',
      nobody: '000',
    })
  })

  test("a builder's and a node's certificate get nothing, and no other name is answered", async () => {
    const asked = [
      { path: '/v2/' },
      { path: '/v2/example/public/manifests/1' },
      uploading('example/app'),
      uploading('team/app'),
      { method: 'PUT', path: '/v2/example/app/manifests/1' },
    ]
    for (const identity of [builders, nodes]) {
      const answers = await Promise.all(asked.map((one) => call(way, identity, one)))
      expect(answers.map(({ status }) => status)).toEqual(asked.map(() => 403))
    }
    const names = [
      `outbound_.5000_._.kube-registry.${REGISTRY}.svc.cluster.local`,
      'outbound_.15012_._.istiod.istio-system.svc.cluster.local',
      'istiod.istio-system.svc',
      `a.${HOST}`,
      'localhost',
    ]
    const answers = await Promise.all(names.map((sni) => answering(way, { sni, alpn: ['istio'], identity: ada })))
    expect(answers).toEqual(names.map(() => undefined))
  })

  test('all is well, for builders too, and it is gone with unexpose', async () => {
    expect(await problems()).toEqual([])
    expect(JSON.parse(await regctlOk(['up', '--json']))).toMatchObject({ changed: [], removed: [] })
    const inside = await codes(builder, { read: manifest('example/secret', '1'), push: uploadTo('example/app') })
    expect(inside).toEqual({ read: 200, push: 202 })
    await regctlOk(['unexpose', HOST])
    expect(await answering(way, { sni: DEVELOPERS_SNI, alpn: ['istio'], identity: ada })).toBeUndefined()
    const left = await kubectlOk(['get', 'services,destinationrules', '-n', REGISTRY, '-o', 'name'])
    expect(left.trim().split('\n').sort()).toEqual([
      'destinationrule.networking.istio.io/kube-registry',
      'service/kube-registry',
    ])
    expect(await problems()).toEqual([])
  })
})

test('docs/expose.md: each command does what it says', async () => {
  await regctlOk(['revoke', TEAM, '--all'])
  const NAME = 'registry.example.org'
  const page = await readFile(join(import.meta.dirname, '../../docs/expose.md'), 'utf8')
  const commands = [...page.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block = '']) => block.trim().split('\n'))
  expect(commands.length).toBeGreaterThan(8)
  const certificate = await certificateOf(NAME)
  const hosts = await hostsFile(certificate.directory, ip, NAME)
  const docker: Docker = await startDocker({ hosts, roots: certificate.certificate })
  try {
    await remove('namespace', [EXPOSE])
    await pushImage('example/docs/intro')
    const env = {
      PATH: [docker.path, dirname(process.env.REGCTL_BIN ?? ''), process.env.PATH].join(delimiter),
      DOCKER_HOST: docker.host,
    }
    for (const command of commands) {
      // Where no load balancer comes, clients need the port that its Service has on the nodes.
      const words = command.includes(`${NAME}/`) ? command.replace(`${NAME}/`, `${NAME}:${await nodePort()}/`) : command
      const options = { env, cwd: certificate.directory }
      const { exitCode, stderr } = await outside(hosts, certificate.certificate, ['sh', '-ec', words], options)
      expect([command, exitCode, exitCode === 0 ? '' : stderr]).toEqual([command, 0, ''])
    }
  } finally {
    await docker[Symbol.asyncDispose]()
    await forget(certificate)
  }
})
