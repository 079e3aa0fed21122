import { existsSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { carryOut } from '../../../src/app/skaffold/change.ts'
import { check } from '../../../src/app/skaffold/check.ts'
import { planInit, type SkaffoldInput } from '../../../src/app/skaffold/init.ts'
import { planUndo } from '../../../src/app/skaffold/undo.ts'
import { MUTATION_APIS } from '../../../src/domain/stack/context-first.ts'
import { type Cluster, grant, type Workplace, workplace } from './kit.ts'

const HEAD = 'apiVersion: skaffold/v4beta13\nkind: Config\n'
const MAIN = `${HEAD}build:\n  artifacts:\n  - image: web\n`
const WITH_API = `${HEAD}requires:\n- path: api\n${MAIN.slice(HEAD.length)}`

const inputOf = (place: Workplace, more: Partial<SkaffoldInput> = {}): SkaffoldInput => ({
  registryNamespace: 'kube-registry',
  profile: 'regctl',
  file: place.path('skaffold.yaml'),
  ...more,
})

async function init(place: Workplace, more: Partial<SkaffoldInput> = {}) {
  const plan = await planInit(place.ports, inputOf(place, more))
  await carryOut(place.ports.files, plan.changes)
  return plan
}
const checked = (place: Workplace, more: Partial<SkaffoldInput> = {}, environment?: string) =>
  check(place.ports, inputOf(place, more), environment)
const cluster: Cluster = { grants: [grant('builds', 'example')] }
const inCluster = { builder: 'in-cluster' } as const
const CONFIG = 'home/.skaffold/config'

describe('what the cluster tells', () => {
  test('the one grant gives repository and namespace', async () => {
    using place = workplace({ 'skaffold.yaml': MAIN }, cluster)
    const { goal } = await init(place, inCluster)
    expect(goal).toEqual({
      builder: 'in-cluster',
      registry: 'localhost:5000',
      repository: 'example',
      buildNamespace: 'builds',
    })
    expect(place.read(CONFIG)).toContain('default-repo: localhost:5000/example\n')
    expect(await checked(place, inCluster)).toEqual({
      problems: [],
      ways: [
        'builds in namespace "builds": Kaniko, whose context container is put first by MutatingAdmissionPolicy regctl-context-first-builds',
      ],
      remarks: [],
    })
  })

  test('an order in which Skaffold would lose its context is told at once', async () => {
    using place = workplace({ 'skaffold.yaml': MAIN }, { ...cluster, admission: 'native' })
    const { remarks } = await init(place, inCluster)
    expect(remarks).toEqual([expect.stringMatching(/in spite of MutatingAdmissionPolicy.*\(build it by regctl build/)])
  })

  test('where no grant could mend the order, regctl build is the builder', async () => {
    using place = workplace({ 'skaffold.yaml': MAIN }, { ...cluster, admission: 'native', mutation: { served: [] } })
    const { remarks } = await init(place, inCluster)
    expect(remarks).toEqual([expect.stringContaining('regctl build builds there')])
    expect(place.read('skaffold.yaml')).toContain('buildCommand: regctl build --build-namespace builds\n')
    expect(await checked(place, inCluster)).toMatchObject({
      problems: [],
      ways: ['builds in namespace "builds": regctl build'],
    })
    expect(await init(place)).toMatchObject({ goal: { builder: 'in-cluster', buildNamespace: 'builds' } })
  })

  test.each<[string, Cluster, string]>([
    [
      "a grant's service account",
      { grants: [grant('builds', 'example', { serviceAccount: 'ci' })] },
      'path: /build/cluster/serviceAccount\n    value: ci\n',
    ],
    [
      "a grant's label",
      { ...cluster, pods: { key: 'role', value: 'build' } },
      'value:\n      role: build\n      sidecar.istio.io/inject: "true"\n',
    ],
    [
      'a proxy that would not end',
      { ...cluster, admission: 'classic' },
      'path: /build/cluster/annotations\n    value:\n      sidecar.istio.io/nativeSidecar: "true"\n',
    ],
  ])('%s gets into the profile, and then it works', async (_, given, expected) => {
    using place = workplace({ 'skaffold.yaml': MAIN }, given)
    await init(place, inCluster)
    expect(place.read('skaffold.yaml')).toContain(expected)
    expect((await checked(place)).problems).toEqual([])
  })

  test('without a cluster the flags are enough', async () => {
    using place = workplace({ 'skaffold.yaml': MAIN }, { unreachable: true })
    const { remarks } = await init(place, { ...inCluster, repository: 'r', buildNamespace: 'n' })
    expect(remarks).toEqual(['not compared with the cluster: cannot reach the API server'])
    await expect(
      planInit(place.ports, inputOf(place, { ...inCluster, repository: undefined as never })),
    ).resolves.toBeDefined()
  })

  test('builds that no grant covers are told', async () => {
    using place = workplace({ 'skaffold.yaml': MAIN }, cluster)
    const { remarks } = await init(place, { ...inCluster, repository: 'other', buildNamespace: 'builds' })
    expect(remarks).toContain('builds there are refused until: regctl grant builds other')
    expect((await checked(place)).problems[0]).toMatchObject({
      what: 'builds has no grant for other/web',
      fix: 'regctl grant builds other',
    })
  })
})

describe('the settings of the context', () => {
  test.each([
    ['kind-a', 'kind-disable-load: true'],
    ['k3d-a', 'k3d-disable-load: true'],
    ['a.b', String.raw`kube-context: ^a\.b$`],
  ])('context %s: %s', async (context, expected) => {
    using place = workplace({ 'skaffold.yaml': MAIN }, { ...cluster, context })
    await init(place)
    expect(place.read(CONFIG)).toContain(expected)
  })

  test('several levels only where no artifact of any module breaks', async () => {
    const api = `${HEAD}build:\n  artifacts:\n  - image: registry.corp:5000/api\n`
    using place = workplace({ 'skaffold.yaml': WITH_API, 'api/skaffold.yaml': api }, cluster)
    await init(place)
    expect(place.read(CONFIG)).not.toContain('multi-level-repo')
  })

  test("the user's choice stays, and what it replaces is told", async () => {
    using place = workplace(
      {
        'skaffold.yaml': MAIN,
        [CONFIG]: 'kubeContexts:\n- kube-context: lab\n  default-repo: gcr.io/me\n  multi-level-repo: false\n',
      },
      cluster,
    )
    const { remarks } = await init(place)
    expect(place.read(CONFIG)).toMatch(
      /\^lab\$\n {2}default-repo: localhost:5000\/example\n {2}multi-level-repo: false\n$/,
    )
    expect(remarks.join()).toContain('default-repo was "gcr.io/me"')
  })

  test('artifacts that name the registry elsewhere are told', async () => {
    using place = workplace({ 'skaffold.yaml': MAIN.replace('web', 'localhost:5000/old/web') }, cluster)
    expect((await init(place)).remarks.join()).toContain('artifact "localhost:5000/old/web" names the registry itself')
  })
})

describe('undo', () => {
  test('needs no record for a file of a colleague, and says so', async () => {
    using place = workplace({ 'skaffold.yaml': MAIN }, cluster)
    await init(place, inCluster)
    rmSync(place.path('home/.local'), { recursive: true })
    const plan = await planUndo(place.ports, inputOf(place))
    await carryOut(place.ports.files, plan.changes)
    expect(place.read('skaffold.yaml')).toBe(MAIN)
    expect(plan.remarks.join()).toContain('nothing is recorded here')
  })

  test('a file changed since keeps the changes', async () => {
    using place = workplace({ 'skaffold.yaml': MAIN }, cluster)
    await init(place, inCluster)
    const mine = (text: string) => text.replace('- image: web', '- image: web # mine')
    writeFileSync(place.path('skaffold.yaml'), mine(place.read('skaffold.yaml')))
    await carryOut(place.ports.files, (await planUndo(place.ports, inputOf(place))).changes)
    expect(place.read('skaffold.yaml')).toBe(mine(MAIN))
  })

  test('a record that cannot be read is as good as none', async () => {
    using place = workplace({ 'skaffold.yaml': MAIN }, cluster)
    await init(place)
    const changed = place.read('skaffold.yaml')
    rmSync(place.path('home/.local'), { recursive: true })
    const plan = await planUndo(place.ports, inputOf(place))
    await carryOut(place.ports.files, plan.changes)
    expect(place.read('skaffold.yaml')).toBe(changed)
  })
})

describe('refused, and nothing is written', () => {
  test.each<[string, string, Partial<SkaffoldInput>, (place: Workplace) => void]>([
    ['NO_SKAFFOLD_FILE', 'no file', {}, (place) => rmSync(place.path('skaffold.yaml'))],
    ['NO_SKAFFOLD_FILE', 'a module that is missing', {}, (place) => rmSync(place.path('api'), { recursive: true })],
    ['NOT_A_LOCAL_FILE', 'a URL', { file: 'https://example.org/skaffold.yaml' }, () => {}],
    ['NOT_A_LOCAL_FILE', 'standard input', { file: '-' }, () => {}],
    ['INVALID_YAML', 'a broken module', {}, (place) => writeFileSync(place.path('api/skaffold.yaml'), 'a: [\n')],
    ['INVALID_YAML', 'a broken configuration', {}, (place) => writeFileSync(place.path('config'), 'a: [\n')],
    [
      'NOT_EDITABLE',
      'a configuration that is something else',
      {},
      (place) => writeFileSync(place.path('config'), '- a\n'),
    ],
    [
      'SYMLINK',
      'a module that is a link',
      {},
      (place) => {
        writeFileSync(place.path('real'), MAIN)
        rmSync(place.path('api/skaffold.yaml'))
        symlinkSync('../real', place.path('api/skaffold.yaml'))
      },
    ],
    [
      'NOTHING_FOR_CLUSTER',
      'only Jib',
      inCluster,
      (place) => {
        for (const name of ['skaffold.yaml', 'api/skaffold.yaml'])
          writeFileSync(place.path(name), `${HEAD}build:\n  artifacts:\n  - {image: a, jib: {}}\n`)
      },
    ],
    ['NO_GRANT', 'nothing granted there', { ...inCluster, buildNamespace: 'nobody' }, () => {}],
  ])('%s: %s', async (code, _, more, spoil) => {
    using place = workplace({ 'skaffold.yaml': WITH_API, 'api/skaffold.yaml': MAIN }, cluster)
    spoil(place)
    const config = existsSync(place.path('config')) ? { config: place.path('config') } : {}
    await expect(init(place, { ...more, ...config })).rejects.toThrow(expect.objectContaining({ code }))
    if (code !== 'NO_SKAFFOLD_FILE' && code !== 'NOTHING_FOR_CLUSTER')
      expect(place.read('skaffold.yaml')).toBe(WITH_API)
    expect(existsSync(place.path('home'))).toBe(false)
  })
})

describe('check', () => {
  const say = async (
    given: Cluster,
    more: { environment?: string; forward?: 'nothing' | 'other'; builder?: 'local' } = {},
  ) => {
    using place = workplace({ 'skaffold.yaml': MAIN }, { ...cluster, ...given }, more.forward ?? 'registry')
    const wanted = more.builder ?? 'in-cluster'
    await carryOut(
      place.ports.files,
      (
        await planInit(
          place.ports,
          inputOf(place, { builder: wanted, repository: 'example', buildNamespace: 'builds' }),
        )
      ).changes,
    )
    const { problems, remarks } = await checked(place, {}, more.environment)
    return [
      ...problems.map(({ what, fix }) => `${what} | ${fix}`),
      ...remarks.map((remark) => `remark: ${remark}`),
    ].join('\n')
  }

  test.each<[string, Cluster, object, RegExp]>([
    [
      'no proxy',
      { admission: 'none' },
      {},
      /^builds in namespace "builds" get no Istio proxy.* \| regctl grant builds/,
    ],
    [
      'the proxy first',
      { admission: 'native', mutation: { served: MUTATION_APIS } },
      {},
      /^in namespace "builds" container istio-proxy starts before.* \| regctl grant builds/,
    ],
    [
      'the proxy first in spite of the policy',
      { admission: 'native' },
      {},
      /in spite of MutatingAdmissionPolicy regctl-context-first-builds: another webhook.* \| build it by regctl build/,
    ],
    [
      'the proxy first, and policies that are not shown',
      { admission: 'native', mutation: { served: MUTATION_APIS, in: 'builds', secret: true } },
      {},
      /^in namespace "builds" container istio-proxy starts before.* \| regctl grant builds/,
    ],
    [
      'no namespace',
      { namespaces: [] },
      {},
      /^namespace "builds" of the builds does not exist \| kubectl create namespace builds$/,
    ],
    [
      'no grant',
      { grants: [] },
      {},
      /^builds has no grant for example\/web \| regctl grant builds example\nbuilds has no grant for example\/cache/,
    ],
    [
      'nothing forwarded',
      {},
      { forward: 'nothing', builder: 'local' },
      /^nothing serves localhost:5000 on this machine \| regctl dev-forward$/,
    ],
    [
      'something else there',
      {},
      { forward: 'other', builder: 'local' },
      /^what serves localhost:5000 .* is not the registry/,
    ],
    ['nothing forwarded for the cluster', {}, { forward: 'nothing' }, /^remark: nothing serves localhost:5000/],
    ['the environment', {}, { environment: 'gcr.io/me' }, /^the default repository is "gcr.io\/me"/],
    [
      "a local cluster's own registry",
      { context: 'kind-a', hosted: 'host: "localhost:5001"\n' },
      {},
      /^the default repository is "localhost:5001"/,
    ],
  ])('%s', async (_, given, more, expected) => {
    expect(await say(given, more)).toMatch(expected)
  })

  test('a plain build with the proxy first, where no policy could be made', async () => {
    const text = `${MAIN}  cluster: {namespace: builds}\n`
    using place = workplace({ 'skaffold.yaml': text }, { ...cluster, admission: 'native', mutation: { served: [] } })
    const { problems } = await checked(place, {}, 'localhost:5000/example')
    expect(problems).toMatchObject([
      {
        what: expect.stringContaining('has no MutatingAdmissionPolicy that could put it first'),
        fix: expect.stringMatching(/^regctl skaffold-init/),
      },
    ])
  })

  test('the order is of no matter to a custom builder, which is the way then', async () => {
    const custom = `${HEAD}build:\n  artifacts:\n  - image: web\n    custom: {buildCommand: regctl build}\n  cluster: {namespace: builds}\n`
    using place = workplace({ 'skaffold.yaml': custom }, { ...cluster, admission: 'native' })
    expect(await checked(place, {}, 'localhost:5000/example')).toEqual({
      problems: [],
      ways: ['builds in namespace "builds": regctl build'],
      remarks: [],
    })
  })

  test('a plain build whose proxy would not end', async () => {
    const text = `${MAIN}  cluster: {namespace: builds}\n`
    using place = workplace({ 'skaffold.yaml': text }, { ...cluster, admission: 'classic' })
    const { problems } = await checked(place, {}, 'localhost:5000/example')
    expect(problems).toMatchObject([
      {
        what: expect.stringContaining('would never end'),
        fix: expect.stringContaining('sidecar.istio.io/nativeSidecar: "true"'),
      },
    ])
  })

  test('before anything is set up', async () => {
    using place = workplace({ 'skaffold.yaml': MAIN }, cluster)
    const { problems } = await checked(place, inCluster)
    expect(problems.map(({ what }) => what)).toEqual([
      'no default repository is set, so images do not go to localhost:5000',
      'nothing is built in the cluster',
    ])
  })
})
