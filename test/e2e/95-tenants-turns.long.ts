import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, namespace, pod, REGISTRY, remove, SECRET } from './attacks/kit.ts'
import { codesIn, notRefused, request, wire } from './attacks/raw.ts'
import { rejectedByRegistry } from './attacks/rejected.ts'
import { foreignUploads } from './attacks/spellings.ts'
import { askOne, type Client, clients, manifest, push } from './clients.ts'
import { eventually, kubectlOk, regctl, regctlOk } from './cluster.ts'
import { upFlags } from './images.ts'
import { build } from './kaniko.ts'
import { container, leftovers, said, withoutTenants } from './tenants/kit.ts'
import { commandsOf } from './tenants/page.ts'
import { pushRunnable } from './tenants/runnable.ts'

const A = 'e2e-turn-a'
const B = 'e2e-turn-b'
const X = 'e2e-turn-x'
const LATE = 'e2e-turn-late'
/** Stands for the `team-` of docs/tenants.md. */
const PAGE = 'e2e-turn-page-'
const OURS = [A, B, X, LATE, ...['a', 'b', 'c'].map((letter) => `${PAGE}${letter}`)]

const a: Client = { namespace: A, name: 'builder' }
const b: Client = { namespace: B, name: 'builder' }
const x: Client = { namespace: X, name: 'builder' }

const BASE = `localhost:5000/${A}/base:1`

const ACCEPT = 'Accept: application/vnd.oci.image.manifest.v1+json'

beforeAll(async () => {
  await withoutTenants(...OURS)
  await regctlOk(['grant', X, X])
  await regctlOk(['tenant', 'add', A, B, '--private', '--accept'])
  await regctlOk(['share', `${A}/base`, '--with', B])
  await clients(pod(A, a.name), pod(B, b.name), pod(X, x.name))
  await Promise.all([push(a, `${A}/app`, '1'), pushRunnable(a, `${A}/base`, '1'), push(x, `${X}/app`, '1')])
}, 120_000)

afterAll(async () => {
  await remove('envoyfilter', ['e2e-broken'], '-n', REGISTRY)
  await regctlOk(['tenant', 'remove', ...OURS])
  await kubectlOk(['delete', 'namespace', ...OURS, '--ignore-not-found', '--wait=false'])
})

describe('a tenant', () => {
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

  test('builds from what was shared: Kaniko uploads what it may not mount', async () => {
    const { succeeded, log } = await build(B, 'from-base', `localhost:5000/${B}/built:1`, 'mounted', {}, BASE)
    expect(succeeded, log).toBe(true)
    expect((await askOne(b, manifest(`${B}/built`, '1'))).status).toBe(200)
    await regctlOk(['unshare', `${A}/base`, '--with', B])
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
    expect((await regctlOk(['grants'])).split('\n').filter((line) => /turn-[ab]/.test(line))).toEqual([])
    expect(await regctlOk(['tenant', 'remove', A])).toContain('nothing to change')
  })
})

test('the page’s commands do what they say', async () => {
  const commands = commandsOf('tenants.md')
  expect(commands.length).toBeGreaterThan(8)
  // The page knows of no hostNetwork pods, which other suites leave.
  await remove('pod', ['host'], '-n', 'e2e-hosts')
  for (const [program, ...args] of commands) {
    expect(program).toBe('regctl')
    await regctlOk(args.map((word) => word.replace(/^team-(?=[abc])/, PAGE)))
  }
  expect(await leftovers()).toEqual([])
})
