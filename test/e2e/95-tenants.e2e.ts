import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, namespace, pod, REGISTRY, ready, remove, SECRET } from './attacks/kit.ts'
import { codesIn, notRefused, request, wire } from './attacks/raw.ts'
import { rejectedByRegistry } from './attacks/rejected.ts'
import { foreignUploads } from './attacks/spellings.ts'
import {
  askOne,
  type Client,
  clients,
  codes,
  ensureNamespaces,
  LOCAL,
  manifest,
  onHost,
  push,
  someNodes,
  uploadTo,
} from './clients.ts'
import { eventually, kubectl, kubectlOk, labOnly, onNode, regctl, regctlOk } from './cluster.ts'
import { images, upFlags } from './images.ts'
import { build } from './kaniko.ts'
import { container, makers, places, podOf, said, tried } from './tenants/kit.ts'
import { harmless, reaching } from './tenants/loopback.ts'
import { commandsOf } from './tenants/page.ts'
import { oddPaths, others, otherWays } from './tenants/spellings.ts'

const A = 'e2e-tenant-a'
const B = 'e2e-tenant-b'
const X = 'e2e-tenant-x'
const HOSTS = 'e2e-tenant-hosts'
const LATE = 'e2e-tenant-late'
/** Stands for the `team-` of docs/tenants.md. */
const PAGE = 'e2e-tenant-page-'
const OURS = [A, B, X, HOSTS, LATE, ...['a', 'b', 'c'].map((letter) => `${PAGE}${letter}`)]

const a: Client = { namespace: A, name: 'builder' }
const b: Client = { namespace: B, name: 'builder' }
const x: Client = { namespace: X, name: 'builder' }
const host: Client = { namespace: HOSTS, name: 'host' }

const APP = `localhost:5000/${A}/app:1`
const BASE = `localhost:5000/${A}/base:1`

const OUTSIDE = { 'sidecar.istio.io/inject': 'false' }

const ACCEPT = 'Accept: application/vnd.oci.image.manifest.v1+json'

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
  await regctlOk(['up', ...upFlags])
  const left = (JSON.parse(await regctlOk(['tenant', 'list', '--json'])) as { tenants: { namespace: string }[] })
    .tenants
  if (left.length > 0) await regctlOk(['tenant', 'remove', ...left.map((tenant) => tenant.namespace)])
  await kubectlOk(['delete', 'namespace', ...OURS, '--ignore-not-found', '--timeout=60s'])
  const [node] = await someNodes()
  await ensureNamespaces(...OURS)
  await regctlOk(['tenant', 'add', A, B])
  await regctlOk(['grant', X, 'e2e-tenant-x'])
  await clients(pod(A, a.name), pod(B, b.name), pod(X, x.name), onHost(HOSTS, host.name, node?.name ?? ''))
  const built = build(A, 'base', BASE, 'the base of tenant a')
  digest = await push(a, `${A}/app`, '1')
  await push(x, `${X}/app`, '1')
  const { succeeded, log, digest: ofBase } = await built
  expect(succeeded, log).toBe(true)
  base = ofBase
  service = await kubectlOk(['get', 'service', '-n', REGISTRY, 'kube-registry', '-o', 'jsonpath={.spec.clusterIP}'])
}, 120_000)

afterAll(async () => {
  await remove('envoyfilter', ['e2e-broken'], '-n', REGISTRY)
  await regctlOk(['tenant', 'remove', ...OURS])
  await kubectlOk(['delete', 'namespace', ...OURS, '--ignore-not-found', '--wait=false'])
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
    await regctlOk(['tenant', 'remove', A])
    await regctlOk(['grant', X, `${A}/x`, '--exact'])
    await apply(running('uses-a', `127.0.0.1:5000/${A}/app:1`))
    const probe = { tcpSocket: { host: 'localhost', port: 5000 } }
    await apply({
      ...podOf(X, { containers: [container(images.toolbox, { livenessProbe: probe })] }),
      metadata: { name: 'probes', namespace: X, labels: OUTSIDE },
    })
    const uses = await usesOf(A, '--private')
    expect(uses.map(({ kind, object, why }) => `${kind} ${object}: ${why}`).sort()).toEqual([
      `grant ${X} * ${A}/x exact write: namespace ${X} may push ${A}/x`,
      expect.stringMatching(`^pod ${HOSTS}/host: hostNetwork reaches`),
      `pod ${X}/probes: "host" in a probe or hook is "localhost"`,
      `pod ${X}/uses-a: image "127.0.0.1:5000/${A}/app:1" belongs to tenant ${A}`,
    ])
    expect((await regctl(['tenant', 'list', '--json'])).stdout).not.toContain(A)
    await Promise.all([remove('pod', ['uses-a', 'probes'], '-n', X)])
    await regctlOk(['revoke', X, `${A}/x`])
    const { accepted } = JSON.parse(await regctlOk(['tenant', 'add', A, B, '--private', '--accept', '--json']))
    const ours = accepted.map(({ object }: Use) => object).filter((object: string) => object.startsWith('e2e-tenant-'))
    expect(ours).toEqual([`${HOSTS}/host`])
    const { exempt } = JSON.parse(await regctlOk(['tenant', 'list', '--json']))
    expect(exempt).toEqual(expect.arrayContaining(['kube-system', 'istio-system', HOSTS]))
    expect((await regctl(['status'])).stdout).toMatch(/Tenants: 2, 2 of them private/)
    expect(await regctlOk(['tenant', 'add', A, '--private'])).toContain('nothing to change')
  })
})

describe('admission', () => {
  test('an image of another tenant is refused wherever it stands in a pod', async () => {
    const images = [APP, `127.0.0.1:5000/${A}/app@${digest}`, `localhost:5000/${A}`]
    const specs = Object.values(places).flatMap((place) => images.map(place))
    for (const where of [B, X, LATE, 'default'])
      for (const answer of await said(where, specs)) expect(answer).toContain(`belongs to tenant ${A}`)
    expect(await said(A, specs)).toEqual(specs.map(() => undefined))
  })

  test('of the ways to write the registry two are ways', async () => {
    const spec = (image: string) => ({ containers: [container(image)] })
    const wrong = [...otherWays(service).map((way) => `${way}/${X}/app:1`), ...oddPaths(A)]
    const answers = await said(X, wrong.map(spec))
    expect(answers.filter((answer) => !answer?.includes('no way to name the registry'))).toEqual([])
    const right = [...others, `localhost:5000/${X}/app:1`, `127.0.0.1:5000/${X}/app:1`, 'localhost:5000/nobody/app']
    expect(await said(X, right.map(spec))).toEqual(right.map(() => undefined))
    for (const place of Object.values(places)) {
      const [answer] = await said(X, [place('LOCALHOST:5000/x/app')])
      expect(answer).toContain('no way to name the registry')
    }
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
    const warned = async (spec: Readonly<Record<string, unknown>>, words: RegExp) => {
      const answers = await Promise.all(makers(X, spec).map((maker) => tried(maker)))
      expect(answers).toHaveLength(7)
      for (const { exitCode, stderr } of answers) {
        expect(exitCode, stderr).toBe(0)
        expect(stderr).toMatch(words)
      }
    }
    await warned({ containers: [container(APP)] }, /Warning: .*belongs to tenant/)
    await warned(
      { hostNetwork: true, containers: [container(images.toolbox)] },
      /Warning: .*hostNetwork reaches the node's loopback/,
    )
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
    expect(await kubectlOk(['logs', '-n', A, 'by-digest'])).toContain('the base of tenant a')
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
    expect(await codes(a, reads)).toEqual({ manifest: 200, blob: 404, tags: 200, upload: 202 })
    const rest = { public: manifest(`${X}/app`, '1'), catalog: { url: `${LOCAL}/v2/_catalog` } }
    expect(await codes(b, rest)).toEqual({ public: 200, catalog: 403 })
  })

  test('is read under no other spelling of the path', async () => {
    await using over = await wire(B, b.name, 5000)
    const own = await over.ask(request('GET', `/v2/${X}/app/manifests/1`, [ACCEPT]))
    expect(codesIn(own)).toEqual([200])
    const spelled = foreignUploads.map((path) =>
      path
        .replaceAll(SECRET, `${A}/app`)
        .replaceAll('%61ttack-secret', `%65${A.slice(1)}`)
        .replaceAll('blobs/uploads', 'manifests/1'),
    )
    const encoded = [...`${A}/app`].flatMap((letter, index) =>
      [letter.charCodeAt(0).toString(16), letter.charCodeAt(0).toString(16).toUpperCase()].map(
        (code) => `/v2/${`${A}/app`.slice(0, index)}%${code}${`${A}/app`.slice(index + 1)}/manifests/1`,
      ),
    )
    const reads = [...spelled, ...spelled.map((path) => path.replace(/\/$/, '')), ...encoded]
    expect(
      await notRefused(
        over,
        reads.map((path) => request('GET', path, [ACCEPT])),
      ).then((answers) => answers.filter((answer) => !/→ HTTP\/1.1 30/.test(answer))),
    ).toEqual([])
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

  test('nobody mounts its blobs, and Kaniko uploads what it may not mount', async () => {
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
    const { succeeded, log } = await build(B, 'from-base', `localhost:5000/${B}/built:1`, 'mounted', {}, BASE)
    expect(succeeded, log).toBe(true)
    expect((await askOne(b, manifest(`${B}/built`, '1'))).status).toBe(200)
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

describe('changes', () => {
  test('of several at once none is lost', async () => {
    const names = [X, LATE]
    const all = await Promise.all([
      ...names.map((name) => regctl(['tenant', 'add', name, '--private'])),
      regctl(['share', `${A}/one`, '--with', B]),
      regctl(['share', `${A}/two`, '--with', B]),
      regctl(['share', `${B}/three`, '--with', A]),
    ])
    for (const { exitCode, stderr } of all) expect(exitCode, stderr).toBe(0)
    const { tenants, shares } = JSON.parse(await regctlOk(['tenant', 'list', '--json']))
    expect(tenants.map(({ namespace }: { namespace: string }) => namespace)).toEqual([A, B, LATE, X])
    expect(shares.map(({ repository }: { repository: string }) => repository).sort()).toEqual([
      `${A}/one`,
      `${A}/two`,
      `${B}/three`,
    ])
    await regctlOk(['status'])
    await Promise.all(names.map((name) => regctlOk(['tenant', 'remove', name])))
    await regctlOk(['grant', X, X])
  })

  test('a namesake of a tenant that was deleted is somebody else', async () => {
    await regctlOk(['tenant', 'add', LATE, '--private'])
    await kubectlOk(['delete', 'namespace', LATE, '--timeout=60s'])
    await apply(namespace(LATE, false))
    const spec = { containers: [container(`localhost:5000/${LATE}/app`)] }
    await eventually(async () => expect((await said(LATE, [spec]))[0]).toContain(`belongs to tenant ${LATE}`))
    const status = await regctl(['status'])
    expect(status.exitCode).toBe(6)
    expect(status.stdout).toContain(`tenant ${LATE} was made anew`)
    await regctlOk(['tenant', 'remove', LATE])
    await regctlOk(['status'])
  })

  test('what is taken away by hand is seen, and up puts it back', async () => {
    await kubectlOk(['delete', 'envoyfilter', '-n', REGISTRY, 'no-mounts'])
    await kubectlOk(['delete', 'validatingadmissionpolicybinding', `regctl-images-${REGISTRY}`])
    await kubectlOk(['delete', 'authorizationpolicy', '-n', REGISTRY, `private-${A}`])
    const { exitCode, stdout } = await regctl(['status'])
    expect(exitCode).toBe(6)
    for (const what of ['no-mounts', 'regctl-images', `private-${A}`]) expect(stdout).toContain(what)
    await regctlOk(['up', ...upFlags])
    await regctlOk(['status'])
    expect((await askOne(b, manifest(`${A}/app`, '1'))).status).toBe(403)
  })

  test('a filter that Envoy refuses is rolled back with the rest', async () => {
    await regctlOk(['tenant', 'remove', A, B])
    expect(await leftovers()).toEqual([])
    await apply(rejectedByRegistry('e2e-broken'))
    await eventually(async () => expect((await regctl(['status'])).exitCode).toBe(6), { timeout: 20_000 })
    const { exitCode, stderr } = await regctl(['tenant', 'add', A, '--private', '--accept', '--timeout', '2s'])
    expect(exitCode, stderr).toBe(5)
    expect(stderr).toMatch(/refused an update.*taken back/s)
    expect(await leftovers()).toEqual([])
    await remove('envoyfilter', ['e2e-broken'], '-n', REGISTRY)
    await eventually(() => regctlOk(['status']), { timeout: 20_000 })
  })

  test('remove leaves nothing, and images stay', async () => {
    await regctlOk(['tenant', 'add', A, B, '--private', '--accept'])
    expect((await askOne(x, manifest(`${A}/app`, '1'))).status).toBe(403)
    expect(await regctlOk(['tenant', 'remove', A])).toContain('everybody may read its images again')
    expect((await askOne(x, manifest(`${A}/app`, '1'))).status).toBe(200)
    await regctlOk(['tenant', 'remove', B])
    expect(await leftovers()).toEqual([])
    expect((await regctlOk(['grants'])).split('\n').filter((line) => /tenant-[ab]/.test(line))).toEqual([])
    expect(await regctlOk(['tenant', 'remove', A])).toContain('nothing to change')
  })
})

test('the page’s commands do what they say', async () => {
  const commands = commandsOf('tenants.md')
  expect(commands.length).toBeGreaterThan(8)
  // The page knows of no hostNetwork pods, ours and those that other suites left.
  for (const where of [HOSTS, 'e2e-hosts']) await remove('pod', [host.name], '-n', where)
  for (const [program, ...args] of commands) {
    expect(program).toBe('regctl')
    await regctlOk(args.map((word) => word.replace(/^team-(?=[abc])/, PAGE)))
  }
  expect(await leftovers()).toEqual([])
})

/** Everything in the cluster that is there for tenants. */
async function leftovers(): Promise<readonly string[]> {
  const kinds =
    'configmaps,authorizationpolicies,envoyfilters,validatingadmissionpolicies,validatingadmissionpolicybindings'
  const found = await kubectlOk(['get', kinds, '-A', '-l', 'regctl.dev/tenant', '-o', 'name'])
  return found.split('\n').filter((line) => line !== '')
}
