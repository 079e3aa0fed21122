import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, pod, REGISTRY, ready, remove } from './attacks/kit.ts'
import { askOne, type Client, clients, codes, LOCAL, manifest, onHost, push, someNodes, uploadTo } from './clients.ts'
import { eventually, kubectl, kubectlOk, labOnly, onNode, regctl, regctlOk } from './cluster.ts'
import { images } from './images.ts'
import { container, leftovers, makers, places, podOf, said, tried, withoutTenants } from './tenants/kit.ts'
import { harmless, reaching } from './tenants/loopback.ts'
import { pushRunnable } from './tenants/runnable.ts'
import { oddPaths, others, otherWays } from './tenants/spellings.ts'

const A = 'e2e-tenant-a'
const B = 'e2e-tenant-b'
const X = 'e2e-tenant-x'
const HOSTS = 'e2e-tenant-hosts'
const LATE = 'e2e-tenant-late'
const OURS = [A, B, X, HOSTS, LATE]

const a: Client = { namespace: A, name: 'builder' }
const b: Client = { namespace: B, name: 'builder' }
const x: Client = { namespace: X, name: 'builder' }
const host: Client = { namespace: HOSTS, name: 'host' }

const APP = `localhost:5000/${A}/app:1`
const BASE = `localhost:5000/${A}/base:1`

const OUTSIDE = { 'sidecar.istio.io/inject': 'false' }

type Use = { readonly kind: string; readonly object: string; readonly why: string }

let digest: string
let base: string
let service: string

const running = (name: string, image: string): object => ({
  ...podOf(X, {
    containers: [container(image, { imagePullPolicy: 'IfNotPresent' })],
    terminationGracePeriodSeconds: 0,
  }),
  metadata: { name, namespace: X, labels: OUTSIDE },
})

async function usesOf(...args: readonly string[]): Promise<readonly Use[]> {
  const { exitCode, stdout } = await regctl(['tenant', 'add', ...args, '--json'])
  expect(exitCode, stdout).toBe(4)
  const { error } = JSON.parse(stdout) as { error: { code: string; details: { uses: readonly Use[] } } }
  expect(error.code).toBe('TENANT_USED')
  return error.details.uses.filter(({ object }) => object.includes('e2e-tenant-'))
}

beforeAll(async () => {
  const [[node]] = await Promise.all([someNodes(), withoutTenants(...OURS)])
  await Promise.all([regctlOk(['grant', X, X]), regctlOk(['grant', X, `${A}/x`, '--exact'])])
  await regctlOk(['tenant', 'add', A, B, '--accept'])
  await clients(pod(A, a.name), pod(B, b.name), pod(X, x.name), onHost(HOSTS, host.name, node?.name ?? ''))
  const [ofApp, ofBase, address] = await Promise.all([
    push(a, `${A}/app`, '1'),
    pushRunnable(a, `${A}/base`, '1'),
    kubectlOk(['get', 'service', '-n', REGISTRY, 'kube-registry', '-o', 'jsonpath={.spec.clusterIP}']),
    push(x, `${X}/app`, '1'),
  ])
  digest = ofApp
  base = ofBase.digest
  service = address
}, 120_000)

afterAll(async () => {
  await Promise.all([
    regctlOk(['tenant', 'remove', A, B]),
    kubectlOk(['delete', 'namespace', ...OURS, '--ignore-not-found', '--wait=false']),
  ])
})

describe('before it is private', () => {
  test('a public tenant is read by all, and pushed to by its own', async () => {
    expect(await codes(x, { read: manifest(`${A}/app`, '1'), push: uploadTo(`${A}/app`) })).toEqual({
      read: 200,
      push: 403,
    })
    const grant = await regctl(['grant', X, `${A}/app`])
    expect(grant.exitCode).toBe(4)
    expect(grant.stderr).toContain(`belongs to tenant ${A}`)
  })

  test('what stands against it is named, nothing is changed, and accepted it stays', async () => {
    const probe = { tcpSocket: { host: 'localhost', port: 5000 } }
    await apply(running('uses-a', `127.0.0.1:5000/${A}/app:1`), {
      ...podOf(X, {
        containers: [container(images.toolbox, { livenessProbe: probe })],
        terminationGracePeriodSeconds: 0,
      }),
      metadata: { name: 'probes', namespace: X, labels: OUTSIDE },
    })
    const before = await regctlOk(['tenant', 'list', '--json'])
    const uses = await usesOf(A, '--private')
    expect(uses.map(({ kind, object, why }) => `${kind} ${object}: ${why}`).sort()).toEqual([
      `grant ${X} * ${A}/x exact write: namespace ${X} may push ${A}/x`,
      expect.stringMatching(`^pod ${HOSTS}/host: hostNetwork reaches`),
      `pod ${X}/probes: "host" in a probe or hook is "localhost"`,
      `pod ${X}/uses-a: image "127.0.0.1:5000/${A}/app:1" belongs to tenant ${A}`,
    ])
    expect(await regctlOk(['tenant', 'list', '--json'])).toBe(before)
    await remove('pod', ['uses-a', 'probes'], '-n', X)
    const { accepted } = JSON.parse(await regctlOk(['tenant', 'add', A, B, '--private', '--accept', '--json']))
    const ours = accepted.map(({ object }: Use) => object).filter((object: string) => object.startsWith('e2e-tenant-'))
    expect(ours).toEqual([`${X} * ${A}/x exact write`, `${HOSTS}/host`])
    const [list, state, again] = await Promise.all([
      regctlOk(['tenant', 'list', '--json']),
      regctlOk(['status']),
      regctlOk(['tenant', 'add', A, '--private']),
    ])
    expect(JSON.parse(list).exempt).toEqual(expect.arrayContaining(['kube-system', 'istio-system', HOSTS]))
    expect(state).toMatch(/Tenants: 2, 2 of them private/)
    expect(state).toContain(`namespace ${X} may push ${A}/x `)
    expect(again).toContain('nothing to change')
  })
})

describe.concurrent('admission', () => {
  test('an image of another tenant is refused wherever it stands in a pod', async () => {
    const images = [APP, `127.0.0.1:5000/${A}/app@${digest}`, `localhost:5000/${A}`]
    const specs = Object.values(places).flatMap((place) => images.map(place))
    const [own, ...foreign] = await Promise.all([A, B, X, LATE, 'default'].map((where) => said(where, specs)))
    for (const answer of foreign.flat()) expect(answer).toContain(`belongs to tenant ${A}`)
    expect(own).toEqual(specs.map(() => undefined))
  })

  test('of the ways to write the registry two are ways', async () => {
    const spec = (image: string) => ({ containers: [container(image)] })
    const wrong = [...otherWays(service).map((way) => `${way}/${X}/app:1`), ...oddPaths(A)]
    const answers = await said(X, wrong.map(spec))
    expect(answers.filter((answer) => !answer?.includes('no way to name the registry'))).toEqual([])
    const right = [...others, `localhost:5000/${X}/app:1`, `127.0.0.1:5000/${X}/app:1`, 'localhost:5000/nobody/app']
    expect(await said(X, right.map(spec))).toEqual(right.map(() => undefined))
    const everywhere = Object.values(places).map((place) => place('LOCALHOST:5000/x/app'))
    for (const answer of await said(X, everywhere)) expect(answer).toContain('no way to name the registry')
  })

  test('a pod that runs may change as it likes, but to no other image; nor by an ephemeral container', async () => {
    await apply(running('runs', `localhost:5000/${X}/app:1`))
    const patch = (type: string, value: object, ...flags: readonly string[]) =>
      kubectl(['patch', 'pod', '-n', X, 'runs', `--type=${type}`, '-p', JSON.stringify(value), ...flags])
    expect((await patch('merge', { metadata: { labels: { changed: 'yes' } } })).exitCode).toBe(0)
    const other = await patch('json', [{ op: 'replace', path: '/spec/containers/0/image', value: APP }])
    expect(other.stderr).toContain(`belongs to tenant ${A}`)
    const debug = { spec: { ephemeralContainers: [{ name: 'debug', image: APP }] } }
    expect((await patch('strategic', debug, '--subresource=ephemeralcontainers')).stderr).toContain(
      `belongs to tenant ${A}`,
    )
    await remove('pod', ['runs'], '-n', X)
  })

  test('what makes pods is warned of, and made', async () => {
    // One by one, because kubectl says the same words only once.
    const spec = { hostNetwork: true, containers: [container(APP)] }
    const answers = await Promise.all(makers(X, spec).map((maker) => tried(maker)))
    expect(answers).toHaveLength(7)
    for (const { exitCode, stderr } of answers) {
      expect(exitCode, stderr).toBe(0)
      expect(stderr).toMatch(/Warning: .*belongs to tenant/)
      expect(stderr).toMatch(/Warning: .*hostNetwork reaches the node's loopback/)
    }
  })

  test("the node's loopback is for nobody but exempt namespaces", async () => {
    const answers = await said(X, reaching)
    expect(answers.filter((answer) => !/hostNetwork reaches|"host" in a probe/.test(answer ?? ''))).toEqual([])
    expect(await said(X, harmless)).toEqual(harmless.map(() => undefined))
    expect(await said(HOSTS, reaching)).toEqual(reaching.map(() => undefined))
    expect(await said('kube-system', reaching)).toEqual(reaching.map(() => undefined))
    const port = { containers: [container(images.toolbox, { ports: [{ containerPort: 80, hostPort: 5000 }] })] }
    expect((await said(X, [port]))[0]).toContain('host port 5000 belongs to')
  })

  labOnly('a name of a node that leads to loopback is refused at the registry', async () => {
    const [node] = await someNodes()
    const script = `hosts=$(mktemp) && printf '127.0.0.1 e2e-loopback.example\\n' >$hosts && mount --bind $hosts /etc/hosts && rm $hosts && curl -s -m 10 -o /dev/null -w '%{http_code}' http://e2e-loopback.example:5000/v2/${A}/app/manifests/1`
    const seen = await onNode(node?.name ?? '', ['unshare', '--mount', 'sh', '-c', script])
    expect(seen?.stdout, seen?.stderr).toBe('403')
  })
})

describe('a tenant', () => {
  test('runs its own images, by tag and digest', async () => {
    const image = (name: string, reference: string) => ({
      ...podOf(A, { containers: [container(reference)], terminationGracePeriodSeconds: 0 }),
      metadata: { name, namespace: A, labels: OUTSIDE },
    })
    await apply(image('by-tag', BASE), image('by-digest', `127.0.0.1:5000/${A}/base@${base}`))
    await ready(A, 'by-tag', 'by-digest')
    await remove('pod', ['by-tag', 'by-digest'], '-n', A)
  })

  test('is read by its own builders alone, whoever may read everything else', async () => {
    const reads = {
      manifest: manifest(`${A}/app`, '1'),
      blob: { url: `${LOCAL}/v2/${A}/app/blobs/${digest}` },
      tags: { url: `${LOCAL}/v2/${A}/app/tags/list` },
      upload: uploadTo(`${A}/app`),
    }
    const nothing = { manifest: 403, blob: 403, tags: 403, upload: 403 }
    expect([await codes(b, reads), await codes(x, reads)]).toEqual([nothing, nothing])
    // What was granted before and accepted stays, and gives no more.
    expect(await codes(x, { accepted: uploadTo(`${A}/x`), below: uploadTo(`${A}/x/y`) })).toEqual({
      accepted: 202,
      below: 403,
    })
    expect(await codes(a, reads)).toEqual({ manifest: 200, blob: 404, tags: 200, upload: 202 })
    const rest = { public: manifest(`${X}/app`, '1'), catalog: { url: `${LOCAL}/v2/_catalog` } }
    expect(await codes(b, rest)).toEqual({ public: 200, catalog: 403 })
  })

  test('shares a repository: its pods run there, its builders read it, and no more', async () => {
    const spec = { containers: [container(BASE)], terminationGracePeriodSeconds: 0 }
    expect((await said(B, [spec]))[0]).toContain(`regctl share ${A}/base --with ${B}`)
    const shared = JSON.parse(await regctlOk(['share', `${A}/base`, '--with', B, '--json']))
    expect(shared).toMatchObject({ changed: true, provenIn: 1 })
    await eventually(async () => expect(await said(B, [spec])).toEqual([undefined]))
    expect((await said(X, [spec]))[0]).toContain('belongs to')
    expect((await said(B, [{ containers: [container(`${BASE.replace('base', 'base2')}`)] }]))[0]).toContain(
      'belongs to',
    )
    expect(await codes(b, { base: manifest(`${A}/base`, '1'), app: manifest(`${A}/app`, '1') })).toEqual({
      base: 200,
      app: 403,
    })
    expect((await askOne(x, manifest(`${A}/base`, '1'))).status).toBe(403)
    expect(await regctlOk(['share', `${A}/base`, '--with', B])).toContain('nothing to change')
    await apply({ ...podOf(B, spec), metadata: { name: 'uses-base', namespace: B, labels: OUTSIDE } })
    await ready(B, 'uses-base')
  })

  test('nobody mounts its blobs', async () => {
    const from = `mount=${digest}&from=${A}%2Fapp`
    const upload = uploadTo(`${B}/app`)
    const form = ['Content-Type: application/x-www-form-urlencoded']
    const mounts = {
      query: { ...upload, url: `${upload.url}?${from}` },
      encoded: { ...upload, url: `${upload.url}?%6dount=${digest}&fro%6d=${A}/app` },
      afterDigest: { ...upload, url: `${upload.url}?digest=sha256:00&${from}` },
      form: { ...upload, headers: form },
      multipart: { ...upload, headers: ['Content-Type: MULTIPART/form-data; boundary=x'] },
    }
    expect(await codes(b, mounts)).toEqual({ query: 403, encoded: 403, afterDigest: 403, form: 403, multipart: 403 })
    expect(await codes(b, { plain: upload, whole: { ...upload, url: `${upload.url}?digest=sha256:00` } })).toEqual({
      plain: 202,
      whole: 202,
    })
  })

  test('unshare: refused again, pods that run are named', async () => {
    const { stdout, stderr } = await regctl(['unshare', `${A}/base`, '--with', B])
    expect(stdout).toContain('is no longer shared')
    expect(stderr).toContain('uses-base')
    await eventually(async () => expect((await said(B, [{ containers: [container(BASE)] }]))[0]).toContain('belongs'))
    expect((await askOne(b, manifest(`${A}/base`, '1'))).status).toBe(403)
    await remove('pod', ['uses-base'], '-n', B)
  })
})

test('removed, nothing of it is left but its images', async () => {
  expect((await askOne(x, manifest(`${A}/app`, '1'))).status).toBe(403)
  expect(await regctlOk(['tenant', 'remove', A, B])).toContain('everybody may read its images again')
  expect((await askOne(x, manifest(`${A}/app`, '1'))).status).toBe(200)
  expect(await leftovers()).toEqual([])
})
