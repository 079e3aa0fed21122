import { afterAll, beforeAll, expect, test } from 'vitest'
import { apply, namespace, pod, podOf as podNamed, REGISTRY, remove, SERVICE } from './attacks/kit.ts'
import { inForce } from './attacks/mesh.ts'
import { codesIn, request, type Wire, wire } from './attacks/raw.ts'
import { type Client, clients, codes, getJson, manifest, push, uploadTo } from './clients.ts'
import { eventually, kubectl, kubectlOk, regctl, regctlOk, slow } from './cluster.ts'
import { images } from './images.ts'
import { container, makers, said, withoutTenants } from './tenants/kit.ts'
import { mounts, pathSpellings } from './tenants/path-spellings.ts'

const TENANT = 'e2e-walled'
const GUEST = 'e2e-walled-guest'
const STRANGER = 'e2e-walled-x'
/** In the mesh, and granted nothing. */
const NOBODY = 'e2e-walled-nobody'
const APP = `localhost:5000/${TENANT}/app:1`
const MESH_WIDE = ['authorizationpolicy', ['attack-allow-tenants'], '-n', 'istio-system'] as const
const ACCEPT = 'Accept: application/vnd.oci.image.manifest.v1+json'

const tenant: Client = { namespace: TENANT, name: 'builder' }
const guest: Client = { namespace: GUEST, name: 'builder' }
const stranger: Client = { namespace: STRANGER, name: 'builder' }
const nobody: Client = { namespace: NOBODY, name: 'builder' }

let digest: string
let layer: string
let asGuest: Wire
let asStranger: Wire

beforeAll(async () => {
  await withoutTenants(TENANT, GUEST, STRANGER)
  await apply(namespace(NOBODY, true))
  await Promise.all([
    regctlOk(['tenant', 'add', TENANT, '--private', '--accept']),
    ...[GUEST, STRANGER].map((namespace) => regctlOk(['grant', namespace, namespace])),
  ])
  await Promise.all([
    regctlOk(['share', `${TENANT}/base`, '--with', GUEST]),
    clients(...[tenant, guest, stranger, nobody].map(({ namespace, name }) => pod(namespace, name))),
  ])
  const [pushed] = await Promise.all([
    push(tenant, `${TENANT}/app`, '1'),
    push(tenant, `${TENANT}/base`, '1'),
    push(guest, `${GUEST}/app`, '1'),
    push(stranger, `${STRANGER}/app`, '1'),
  ])
  digest = pushed
  asGuest = await wire(GUEST, guest.name, 5000)
  asStranger = await wire(STRANGER, stranger.name, 5000)
  layer = await layerOf(`${TENANT}/app`)
}, 120_000)

/** A blob of a repository, from the registry itself, past its proxy. */
async function layerOf(repository: string): Promise<string> {
  await using registry = await wire(REGISTRY, await podNamed(REGISTRY, 'kube-registry'), 5000)
  const found = await registry.ask(request('GET', `/v2/${repository}/manifests/1`, [ACCEPT]))
  const { layers } = JSON.parse(found.slice(found.indexOf('\r\n\r\n'))) as { layers: { digest: string }[] }
  return layers[0]?.digest ?? ''
}

afterAll(async () => {
  for (const one of [asGuest, asStranger]) await one?.[Symbol.asyncDispose]()
  await Promise.all([
    regctl(['tenant', 'remove', TENANT]),
    remove('namespace', [TENANT, GUEST, STRANGER, NOBODY], '--wait=false'),
    remove(...MESH_WIDE),
  ])
})

/** Requests that were answered with content, of those that must not be. */
async function answered(over: Wire, requests: readonly string[]): Promise<readonly string[]> {
  const found: string[] = []
  let silent = 0
  for (let start = 0; start < requests.length; start += 20) {
    const some = requests.slice(start, start + 20)
    const answers = await Promise.all(some.map((bytes) => over.ask(bytes)))
    for (const [index, answer] of answers.entries()) {
      if (answer === '') silent++
      if (codesIn(answer).some((code) => code < 400)) found.push(`${some[index]?.split('\r\n')[0]} → ${answer}`)
    }
  }
  // Otherwise a broken wire would pass for a good defence.
  expect(silent).toBeLessThan(requests.length / 10)
  return found
}

const reads = (open: string, rest: string): readonly string[] =>
  pathSpellings(`${TENANT}/app`, open, rest).map((target) => request('GET', target, [ACCEPT]))

test('however its path is spelled, a stranger who may read the rest reads nothing of the tenant', async () => {
  const open = `${STRANGER}/app`
  expect(codesIn(await asStranger.ask(request('GET', `/v2/${open}/manifests/1`, [ACCEPT])))).toEqual([200])
  expect(await answered(asStranger, reads(open, 'manifests/1'))).toEqual([])
})

test('nor does a guest read more than was shared, from below it or beside it', async () => {
  const open = `${TENANT}/base`
  expect(codesIn(await asGuest.ask(request('GET', `/v2/${open}/manifests/1`, [ACCEPT])))).toEqual([200])
  expect(await answered(asGuest, [...reads(open, `blobs/${layer}`), ...reads(open, 'tags/list').slice(0, 1)])).toEqual(
    [],
  )
})

test('however it is asked for, nobody mounts a blob of the tenant', async () => {
  const answers = await Promise.all(
    mounts(`${STRANGER}/app`, `${TENANT}/app`, layer).map(async (bytes) => ({
      bytes,
      codes: codesIn(await asStranger.ask(bytes)),
    })),
  )
  expect(answers.filter(({ codes }) => codes.includes(201))).toEqual([])
  const blob = request('GET', `/v2/${STRANGER}/app/blobs/${layer}`)
  expect(codesIn(await asStranger.ask(blob))).toEqual([404])
})

test("repositories whose names begin like the tenant's are not the tenant's", async () => {
  const alike = ['x', '-y', '.x', '_x', '__x'].map((end) => `${TENANT}${end}/app`)
  const asked = Object.fromEntries(alike.map((repository) => [repository, manifest(repository, '1')]))
  expect(await codes(stranger, asked)).toEqual(Object.fromEntries(alike.map((repository) => [repository, 404])))
  const named = [...alike, `other/${TENANT}/app`].map((name) => ({ containers: [container(`localhost:5000/${name}`)] }))
  expect(await said(STRANGER, named)).toEqual(named.map(() => undefined))
  const exact = [`localhost:5000/${TENANT}`, `localhost:5000/${TENANT}:1`, `127.0.0.1:5000/${TENANT}@${digest}`]
  for (const answer of await said(
    STRANGER,
    exact.map((image) => ({ containers: [container(image)] })),
  ))
    expect(answer).toContain(`belongs to tenant ${TENANT}`)
})

slow('no controller makes a pod of it, and tells why where its owner looks', async () => {
  const [deployment, , , , , job] = makers(STRANGER, { containers: [container(APP)] })
  await apply(...[deployment, job].map((one) => ({ ...one, metadata: { name: 'walled', namespace: STRANGER } })))
  await eventually(
    async () => {
      const { items } = await getJson<{ items: readonly { reason: string; message: string }[] }>(
        'events',
        '-n',
        STRANGER,
      )
      const told = items.filter(({ reason }) => reason === 'FailedCreate').map(({ message }) => message)
      expect(told.filter((message) => message.includes(`belongs to tenant ${TENANT}`)).length).toBeGreaterThan(1)
    },
    { timeout: 20_000 },
  )
  const { items } = await getJson<{ items: readonly object[] }>('pods', '-n', STRANGER, '-l', 'app=tried')
  expect(items).toEqual([])
  await remove('deployment,job', ['walled'], '-n', STRANGER, '--wait=false')
})

test('pods without a name yet, mirrors of static pods and pods of a hundred containers are asked like others', async () => {
  type Pod = { readonly metadata: object; readonly spec: object }
  const create = async (where: string, change: (object: Pod) => object) => {
    // A proxy that is put in has what no mirror of a static pod may have.
    const labels = { 'sidecar.istio.io/inject': 'false' }
    const object = pod(where, 'odd', { labels, container: { image: APP } }) as Pod
    return kubectl(['create', '--dry-run=server', '-f', '-'], { input: JSON.stringify(change(object)) })
  }
  const generated = (object: Pod) => ({
    ...object,
    metadata: { ...object.metadata, name: undefined, generateName: 'odd-' },
  })
  const mirrored = (object: Pod) => ({
    ...object,
    metadata: { ...object.metadata, annotations: { 'kubernetes.io/config.mirror': 'x' } },
    spec: { ...object.spec, nodeName: 'any' },
  })
  const many = (image: string) => (object: Pod) => ({
    ...object,
    spec: {
      containers: Array.from({ length: 100 }, (_, index) =>
        container(index === 99 ? image : `registry.example.com:5000/${'long/'.repeat(40)}app:${index}`, {
          name: `c${index}`,
        }),
      ),
    },
  })
  for (const change of [generated, mirrored, many(APP)]) {
    const { exitCode, stderr } = await create(STRANGER, change)
    expect(exitCode).not.toBe(0)
    expect(stderr).toContain(`belongs to tenant ${TENANT}`)
  }
  for (const change of [generated, many(APP)]) {
    const { exitCode, stderr } = await create(TENANT, change)
    expect(exitCode, stderr).toBe(0)
  }
})

slow('no way of changing a pod that runs brings the image in', async () => {
  const own = `localhost:5000/${STRANGER}/app:1`
  const before = pod(STRANGER, 'changes', { labels: { 'sidecar.istio.io/inject': 'false' } })
  await apply(before)
  const input = JSON.stringify(before).replaceAll(images.toolbox, APP)
  const ways = [
    ['apply', '--server-side', '--force-conflicts', '-f', '-'],
    ['apply', '-f', '-'],
    ['replace', '-f', '-'],
    ['set', 'image', '-n', STRANGER, 'pod/changes', `main=${APP}`],
    ['debug', '-n', STRANGER, 'changes', `--image=${APP}`, '--', 'true'],
    ['debug', '-n', STRANGER, 'changes', `--image=${APP}`, '--copy-to=copied', '--', 'true'],
    ['run', '-n', STRANGER, 'runs', `--image=${APP}`],
  ]
  for (const way of ways) {
    const { exitCode, stderr } = await kubectl(way, { input })
    expect(exitCode, way.join(' ')).not.toBe(0)
    // What replaces the pod as a whole leaves out what the API server put in, which it refuses before anybody else is asked.
    const words =
      way[0] === 'replace' ? /belongs to tenant|pod updates may not change fields/ : `belongs to tenant ${TENANT}`
    expect(stderr, way.join(' ')).toMatch(words)
  }
  await kubectlOk(['set', 'image', '-n', STRANGER, 'pod/changes', `main=${own}`])
  await remove('pod', ['changes'], '-n', STRANGER, '--wait=false')
})

test("a pod among the node's processes, which could take its proxy's identity, is refused like one on its network", async () => {
  const spec = { containers: [container(images.toolbox)] }
  const answers = await said(STRANGER, [
    { hostPID: true, ...spec },
    { hostNetwork: true, ...spec },
    { hostIPC: true, ...spec },
  ])
  expect(answers[0]).toContain('hostPID')
  expect(answers[1]).toContain('hostNetwork')
  expect(answers[2]).toBeUndefined()
})

test('an ALLOW for everybody opens nobody a closed tenant, nor a closed tenant what is others’', async () => {
  const policies = async () =>
    (await kubectlOk(['get', 'authorizationpolicies', '-n', REGISTRY, '-o', 'name'])).split(/[/\s]/)
  expect(await policies()).toContain(`writes-${TENANT}`)
  await regctlOk(['unshare', `${TENANT}/base`, '--with', GUEST])
  // Without a guest its bounds are the fence's and its own policy's.
  expect(await policies()).not.toContain(`writes-${TENANT}`)
  const [name] = MESH_WIDE[1]
  await apply({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace: 'istio-system' },
    spec: { action: 'ALLOW', rules: [{}] },
  })
  await inForce(`ns[istio-system]-policy[${name}]`)
  const of = (base?: string) => ({
    manifest: manifest(`${TENANT}/app`, '1', base),
    upload: uploadTo(`${TENANT}/app`, base),
    tag: { ...manifest(`${TENANT}/app`, '2', base), method: 'PUT' },
    delete: { ...manifest(`${TENANT}/app`, digest, base), method: 'DELETE' },
  })
  const nothing = { manifest: 403, upload: 403, tag: 403, delete: 403 }
  const [byStranger, byGuest, byNobody, byTenant] = await Promise.all([
    codes(stranger, of()),
    codes(guest, of()),
    codes(nobody, { ...of(SERVICE), ping: { url: `${SERVICE}/v2/` }, other: manifest(`${GUEST}/app`, '1', SERVICE) }),
    codes(tenant, {
      own: uploadTo(`${TENANT}/app`),
      delete: of().delete,
      read: manifest(`${GUEST}/app`, '1'),
      other: uploadTo(`${GUEST}/app`),
      free: uploadTo('e2e-walled-free'),
      alike: uploadTo(`${TENANT}x/app`),
    }),
  ])
  expect([byStranger, byGuest]).toEqual([nothing, nothing])
  expect(byNobody).toEqual({ ...nothing, ping: 403, other: 403 })
  expect(byTenant).toEqual({ own: 202, delete: 403, read: 200, other: 403, free: 403, alike: 403 })
  // A guest, and the tenant's own fence is there again before it comes in.
  await regctlOk(['share', `${TENANT}/base`, '--with', GUEST])
  expect(await policies()).toContain(`writes-${TENANT}`)
  const base = { read: manifest(`${TENANT}/base`, '1'), write: uploadTo(`${TENANT}/base`) }
  expect(await codes(guest, base)).toEqual({ read: 200, write: 403 })
  expect((await codes(tenant, { other: uploadTo(`${GUEST}/app`) })).other).toBe(403)
})
