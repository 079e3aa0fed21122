import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, ensureVictim, inside, NODES, namespace, pod, REGISTRY, ready, remove } from './attacks/kit.ts'
import { squatter } from './attacks/node.ts'
import { type Client, clients, codes, getJson, onHost, someNodes, uploadTo } from './clients.ts'
import {
  eventually,
  kubectl,
  kubectlOk,
  lab,
  labOnly,
  onNode,
  type Run,
  regctl,
  regctlOk,
  run,
  slow,
} from './cluster.ts'
import { passAll, refused } from './developers/gateways.ts'
import { images } from './images.ts'
import { asDocumented, documentedFile, neverRun } from './ports/guide.ts'
import { traffic } from './ports/traffic.ts'

const TEAM = 'team-a'
const EVIL = 'e2e-ports-evil'
const WEB = 'kube-registry-ports-web'
const HOST = 'app.example.com'

const host: Client = { namespace: EVIL, name: 'host' }
const nodes = lab?.nodes ?? []
const addresses = nodes.map(({ ip }) => ip)
let directory: string
let ca: string
/** This machine's address on the nodes' network. */
let outside: string

/** Those that are not being deleted, which takes the cluster a while. */
const namespaces = async (): Promise<readonly string[]> =>
  (await kubectlOk(['get', 'namespaces', '-o', 'jsonpath={.items[?(@.status.phase=="Active")].metadata.name}']))
    .split(' ')
    .filter((name) => name.startsWith('kube-registry-ports-'))

const pods = (at: string): Promise<string> =>
  kubectlOk(['get', 'pods', '-n', at, '-o', 'jsonpath={.items[*].metadata.uid}'])

const probes = async (): Promise<string> =>
  kubectlOk(['get', 'jobs,pods', '-n', NODES, '-l', 'regctl.dev/port-probe', '-o', 'name'])

/** By an address of a node, from outside the cluster. */
const fetched = (address: string, path = '/v2/', name = HOST): Promise<Run> =>
  run([
    'curl',
    '-s',
    '-m',
    '5',
    '-i',
    '--cacert',
    join(directory, 'tls.crt'),
    '--resolve',
    `${name}:443:${address}`,
    `https://${name}${path}`,
  ])

const app = (at: string): readonly object[] => [
  { ...pod(at, 'app', { labels: { app: 'app' }, container: { image: images.registry, command: undefined } }) },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: at, name: 'app' },
    spec: { selector: { app: 'app' }, ports: [{ name: 'http', port: 80, targetPort: 5000 }] },
  },
]

async function closeAll(): Promise<void> {
  const { stdout } = await regctl(['ports', '--json'])
  for (const { port } of (JSON.parse(stdout) as { ports: { port: number }[] }).ports)
    await regctlOk(['close-port', String(port)])
  const left = await namespaces()
  if (left.length > 0) await kubectlOk(['delete', 'namespace', ...left])
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regctl-ports-'))
  const certificate = [
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
  ]
  const names = ['-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST},DNS:steal.example.com`]
  const files = ['-keyout', join(directory, 'tls.key'), '-out', join(directory, 'tls.crt')]
  expect((await run([...certificate, ...names, ...files])).exitCode).toBe(0)
  ca = await readFile(join(directory, 'tls.crt'), 'utf8')
  await Promise.all([ensureVictim(), remove('namespace', [TEAM, EVIL, 'team-b'])])
  await closeAll()
  const [node] = await someNodes()
  await apply(namespace(TEAM, false), namespace('team-b', false), namespace(EVIL, false), ...app(TEAM))
  await Promise.all([clients(onHost(host.namespace, host.name, node?.name ?? '')), ready(TEAM, 'app')])
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM, EVIL, 'team-b'])
  await rm(directory, { recursive: true, force: true })
})

describe('a port', () => {
  test('is refused where it is not to be had, and nothing is left of the try', async () => {
    const taken = pod(EVIL, 'holder', { container: { ports: [{ containerPort: 18_440, hostPort: 18_440 }] } })
    const onNetwork = pod(EVIL, 'network', {
      spec: { hostNetwork: true },
      container: { ports: [{ containerPort: 18_441 }] },
    })
    await apply(taken, onNetwork, passAll(EVIL, 'early', { app: 'registry-ports-18442' }))
    await ready(EVIL, 'holder', 'network')
    const tries: Readonly<Record<string, readonly [readonly string[], number, RegExp]>> = {
      registry: [['5000'], 4, /port 5000 is the registry's/],
      'node proxy': [['15900'], 4, /the node proxy's own/],
      beyond: [['65536'], 2, /not between 1 and 65535/],
      'no node': [['18443', '--nodes', 'regctl.dev/none=1'], 3, /no node matches "regctl.dev\/none=1"/],
      'no namespace': [['18443', '--gateways-from', 'e2e-nobody'], 3, /namespace "e2e-nobody" does not exist/],
      'a pod': [['18440'], 4, new RegExp(`taken by pod ${EVIL}/holder on node`)],
      'a pod on the host network': [['18441'], 4, new RegExp(`taken by pod ${EVIL}/network on node`)],
      'a Gateway that waits for it': [['18442'], 4, new RegExp(`Gateway ${EVIL}/early would attach`)],
    }
    const before = await namespaces()
    await Promise.all(
      Object.entries(tries).map(async ([name, [argv, exitCode, message]]) => {
        const ended = await regctl(['open-port', ...argv])
        const wanted = { exitCode, stderr: expect.stringMatching(message) }
        expect({ exitCode: ended.exitCode, stderr: ended.stderr }, name).toEqual(wanted)
      }),
    )
    expect(await namespaces()).toEqual(before)
    expect(JSON.parse(await regctlOk(['ports', '--json']))).toEqual({ ports: [], problems: [] })
  })

  slow('is refused where a process of a node has it, by a pod that is gone at once', async ({ skip }) => {
    skip(lab === undefined, 'it starts a process on a node')
    const second = nodes.at(-1)
    await using other = squatter(second?.name ?? '', '0.0.0.0', 18_445)
    await other.bound
    const ended = await regctl(['open-port', '18445'])
    expect(ended.exitCode).toBe(4)
    expect(ended.stderr).toContain(
      `port 18445 is taken by a process of node ${second?.name} (user 0, on every address)`,
    )
    expect(await probes()).toBe('')
  })

  slow('leaves no pod behind when it is ended while it looks', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGKILL', null],
    ] as const) {
      const opening = spawn(process.env.REGCTL_BIN ?? '', ['open-port', '18446'], { stdio: 'ignore' })
      const over = once(opening, 'exit')
      await eventually(async () => expect(await probes()).not.toBe(''), { timeout: 20_000, every: 50 })
      opening.kill(signal)
      expect((await over)[0]).toBe(code)
      if (signal === 'SIGINT') expect(await probes()).toBe('')
      expect(await namespaces()).toEqual([])
    }
  })
})

describe('an app', () => {
  labOnly('is served on 443 of every node, with TLS, to other hosts', async () => {
    const route = await run(['ip', '-o', 'route', 'get', addresses[0] ?? ''])
    outside = / src (\S+)/.exec(route.stdout)?.[1] ?? ''
    await documentedFile(join(directory, 'out.yaml'), outside)
    const opened = await Promise.all([
      asDocumented('regctl open-port 443 --name web', directory),
      asDocumented('regctl open-port 3128 --name out', directory),
    ])
    for (const { exitCode, stderr } of opened) expect(exitCode, stderr).toBe(0)
    const [first] = addresses
    const asked = await eventually(
      async () => {
        const { exitCode, stdout, stderr } = await asDocumented('kubectl apply -f web.yaml', directory, {
          NODE: first ?? '',
        })
        if (exitCode !== 0) throw new Error(stderr)
        return stdout
      },
      { timeout: 20_000 },
    )
    expect(asked).toContain('gateway.networking.istio.io/app')
    for (const address of addresses)
      await eventually(
        async () => expect((await fetched(address)).stdout).toContain('docker-distribution-api-version'),
        { timeout: 10_000 },
      )
    // A node is another host to the other one.
    const asks = addresses.map(
      (ip) => `curl -sk -m 5 -o /dev/null -w '%{http_code} ' --resolve ${HOST}:443:${ip} https://${HOST}/v2/`,
    )
    expect((await inside(host.namespace, host.name, asks.join(';'))).stdout.trim().split(' ')).toEqual(
      asks.map(() => '200'),
    )
    const [used, state] = await Promise.all([regctlOk(['ports']), regctlOk(['status', '--json'])])
    expect(used).toMatch(new RegExp(`443 +web +2/2 +${addresses.join(' ')} +${TEAM}/app +${HOST}`))
    expect(JSON.parse(state).problems).toEqual([])
    // Again: nothing changes, and no pod.
    const before = await pods(WEB)
    expect(await regctlOk(['open-port', '443'])).toContain('nothing to change')
    expect(await pods(WEB)).toBe(before)
  })

  labOnly('of another name for an open port is refused', async () => {
    const ended = await regctl(['open-port', '443', '--name', 'other'])
    expect([ended.exitCode, ended.stderr]).toEqual([4, expect.stringContaining('open already, in the set "web"')])
  })

  slow('goes on without a failure while another port is opened and closed', async ({ skip }) => {
    skip(lab === undefined, 'it goes on from the one before')
    const before = await pods(WEB)
    const load = traffic(HOST, addresses, ca)
    const other = await asDocumented('regctl open-port 8080', directory)
    const { done, failures } = await load.stop()
    expect(other.exitCode, other.stderr).toBe(0)
    expect(failures).toEqual([])
    expect(done).toBeGreaterThan(100)
    expect(await pods(WEB)).toBe(before)
  })
})

describe('Gateways', () => {
  labOnly('of namespaces that are not named do not attach, whatever they select by', async () => {
    const found = await getJson<{ items: { metadata: { labels: Record<string, string> } }[] }>('pods', '-n', WEB)
    const labels = found.items[0]?.metadata.labels ?? {}
    const cluster = { 'topology.istio.io/cluster': 'Kubernetes' }
    const tries: Readonly<Record<string, Readonly<Record<string, string>> | undefined>> = {
      'without-selector': undefined,
      'with-an-empty-one': {},
      'by-our-label': { app: 'registry-ports-web' },
      'by-all-labels': labels,
      'by-revision': { 'controller-revision-hash': labels['controller-revision-hash'] ?? '' },
      'by-generation': { 'pod-template-generation': '1' },
      'by-host-name': { 'kubernetes.io/hostname': nodes[0]?.name ?? 'node1' },
      'by-cluster': cluster,
      'by-cluster-and-ours': { ...cluster, istio: 'registry-ports-web' },
    }
    const gateways = Object.entries(tries).map(([name, selector]) => passAll(EVIL, name, selector))
    const own = passAll(EVIL, 'of-their-own', { app: 'theirs' })
    const said = await refused(...gateways, own)
    expect(Object.keys(said).sort()).toEqual(Object.keys(tries).sort())
    expect(said['by-our-label']).toContain('regctl open-port --gateways-from')
    const named = passAll('team-b', 'named', { app: 'registry-ports-web' })
    expect(Object.keys(await refused(named))).toEqual(['named'])
    // Named, it may.
    const widened = await asDocumented('regctl open-port 443 --gateways-from team-a,team-b', directory)
    expect(widened.exitCode, widened.stderr).toBe(0)
    await eventually(async () =>
      expect(await refused(named, passAll(EVIL, 'still', { app: 'registry-ports-web' }))).toEqual({
        still: expect.anything(),
      }),
    )
  })

  labOnly("that lead to the registry get nothing there: it refuses the gateway's identity", async () => {
    const name = 'steal.example.com'
    const meta = { namespace: TEAM, name: 'steal' }
    const tls = { mode: 'SIMPLE', credentialName: 'app-example-com' }
    const to = { destination: { host: `${REGISTRY}.${REGISTRY}.svc.cluster.local`, port: { number: 5000 } } }
    await apply(
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'Gateway',
        metadata: meta,
        spec: {
          selector: { app: 'registry-ports-web' },
          servers: [{ port: { number: 443, name: 'steal', protocol: 'HTTPS' }, hosts: [`./${name}`], tls }],
        },
      },
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'VirtualService',
        metadata: meta,
        spec: { hosts: [name], gateways: ['steal'], http: [{ rewrite: { authority: 'localhost:5000' }, route: [to] }] },
      },
    )
    const refusal = await eventually(
      async () => {
        const { stdout } = await fetched(addresses[0] ?? '', '/v2/example/app/manifests/1', name)
        expect(stdout).toContain('DENIED')
        return stdout
      },
      { timeout: 15_000 },
    )
    expect(refusal).toMatch(/^HTTP\S+ 403/)
    expect(refusal).toContain('spiffe://cluster.local/ns/kube-registry-ports-web/sa/registry-ports-web may not GET')
    const granted = await regctl(['grant', WEB, 'example'])
    expect([granted.exitCode, granted.stderr]).toEqual([4, expect.stringContaining('may not reach the registry')])
  })
})

test("the registry's own port is as it was", async () => {
  const local = 'http://localhost:5000'
  expect(
    await codes(host, {
      pull: { url: `${local}/v2/` },
      push: uploadTo('example/app', local),
      catalog: { url: `${local}/v2/_catalog` },
      'another host': { url: `${local}/v2/`, host: HOST },
    }),
  ).toEqual({ pull: 200, push: 403, catalog: 403, 'another host': 403 })
  for (const ip of addresses) expect((await run(['curl', '-s', '-m', '3', `http://${ip}:5000/v2/`])).exitCode).toBe(7)
})

labOnly('a way out is there for processes of the nodes and for pods, and for nobody else', async () => {
  const seen: http.IncomingHttpHeaders[] = []
  const partner = http.createServer((request, response) => {
    seen.push(request.headers)
    response.end('partner')
  })
  await once(partner.listen(80, outside), 'listening')
  try {
    const get = ['curl', '-s', '-m', '5', '-H', 'Host: partner.example.com']
    const [node] = nodes
    await eventually(
      async () => expect((await onNode(node?.name ?? '', [...get, 'http://127.0.0.1:3128/']))?.stdout).toBe('partner'),
      { timeout: 15_000 },
    )
    // Envoy was on the way.
    expect(seen[0]).toHaveProperty('x-request-id')
    const service = 'http://registry-ports-out.kube-registry-ports-out.svc.cluster.local:3128/'
    const asked = await kubectl([
      'exec',
      '-n',
      TEAM,
      'app',
      '--',
      'wget',
      '-q',
      '-O',
      '-',
      '--header',
      'Host: partner.example.com',
      service,
    ])
    expect(asked.stdout, asked.stderr).toBe('partner')
    for (const ip of addresses) expect((await run([...get, `http://${ip}:3128/`])).exitCode).toBe(7)
  } finally {
    partner.close()
  }
})

labOnly('closed, nothing of it is left but what others put there', async () => {
  await remove(
    'gateways.networking.istio.io,virtualservices,serviceentries',
    ['--all'],
    '-n',
    'kube-registry-ports-out',
  )
  const closed = await asDocumented('regctl close-port 3128', directory)
  expect(closed.exitCode, closed.stderr).toBe(0)
  expect(closed.stderr).toContain(`left: Secret ${WEB}/app-example-com, which is not regctl's`)
  for (const address of addresses) expect((await fetched(address)).exitCode).toBe(7)
  expect(await namespaces()).toEqual([WEB])
  await remove('secret', ['app-example-com'], '-n', WEB)
  expect(await regctlOk(['close-port', '443'])).toContain('not open')
  expect(await namespaces()).toEqual([])
  expect(await kubectlOk(['get', 'validatingadmissionpolicies', '-o', 'name'])).not.toContain('kube-registry-ports')
})

slow('the probe of a regctl that was killed goes by itself', async () => {
  await eventually(async () => expect(await probes()).toBe(''), { timeout: 60_000 })
})

slow('every command of docs/ports.md ran', async ({ skip }) => {
  skip(lab === undefined, 'some ran on the lab alone')
  expect(neverRun()).toEqual([])
})
