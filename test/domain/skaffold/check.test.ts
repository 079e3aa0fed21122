import { describe, expect, test } from 'vitest'
import type { Grant } from '../../../src/domain/policy/grant.ts'
import { readBuilderPod } from '../../../src/domain/skaffold/builder-pod.ts'
import { type CheckFacts, checkFile, checkNaming } from '../../../src/domain/skaffold/check.ts'
import { parseSkaffold } from '../../../src/domain/skaffold/config.ts'
import { chooseTarget } from '../../../src/domain/skaffold/target.ts'

const grant = (namespace: string, repository: string, more: Partial<Grant> = {}): Grant => ({
  namespace,
  repository,
  exact: false,
  readOnly: false,
  ...more,
})
const naming = { registry: 'localhost:5000', defaultRepo: 'localhost:5000/example', source: 'config', multiLevel: true }
const facts: CheckFacts = { naming, profile: 'regctl', grants: [grant('builds', 'example')], namespace: 'default' }

const check = (build: unknown, given: Partial<CheckFacts> = {}) =>
  checkFile(parseSkaffold('f', JSON.stringify({ apiVersion: 'skaffold/v4beta13', kind: 'Config', build })), {
    ...facts,
    ...given,
  })
const said = (build: unknown, given?: Partial<CheckFacts>) =>
  check(build, given)
    .problems.map(({ what }) => what)
    .join('; ')

describe('nothing to say', () => {
  test.each([
    ['a build here', { artifacts: [{ image: 'web' }] }],
    [
      'a build in the cluster',
      {
        artifacts: [{ image: 'web', kaniko: { cache: { repo: 'localhost:5000/example/cache' } } }],
        cluster: { namespace: 'builds' },
      },
    ],
    ['an artifact that names the repository', { artifacts: [{ image: 'localhost:5000/example/web' }] }],
    ['no artifacts', {}],
  ])('%s', (_, build) => {
    expect(said(build)).toBe('')
  })
})

describe('what would not work', () => {
  const cluster = { namespace: 'builds' }
  const web = { image: 'web' }
  test.each<[unknown, Partial<CheckFacts>, RegExp]>([
    [{ artifacts: [web], cluster }, { grants: [] }, /^builds has no grant for example\/web$/],
    [{ artifacts: [web], cluster }, { grants: [grant('builds', 'example', { readOnly: true })] }, /no grant/],
    [{ artifacts: [web], cluster }, { grants: [grant('builds', 'example', { exact: true })] }, /no grant/],
    [{ artifacts: [web], cluster }, { grants: [grant('builds', 'exam')] }, /no grant/],
    [{ artifacts: [web], cluster }, { grants: [grant('other', 'example')] }, /no grant/],
    [{ artifacts: [web], cluster }, { grants: [grant('builds', 'example', { serviceAccount: 'ci' })] }, /no grant/],
    [
      { artifacts: [web], cluster: { ...cluster, serviceAccount: 'ada' } },
      { grants: [grant('builds', 'example', { serviceAccount: 'ada', developer: 'user:ada' })] },
      /no grant/,
    ],
    [{ artifacts: [web], cluster: {} }, {}, /^default has no grant/],
    [
      { artifacts: [{ ...web, kaniko: { cache: { repo: 'localhost:5000/cache' } } }], cluster },
      {},
      /^builds has no grant for cache$/,
    ],
    [
      { artifacts: [{ ...web, docker: {} }], cluster },
      {},
      /^image "web" is built by docker, which Skaffold's cluster builder refuses$/,
    ],
    [
      { artifacts: [{ ...web, kaniko: {} }] },
      {},
      /^image "web" is built by kaniko, which Skaffold's local builder refuses$/,
    ],
    [{ artifacts: [web], googleCloudBuild: {} }, {}, /^Google Cloud Build cannot reach/],
    [{ artifacts: [web], local: { push: false } }, {}, /^build.local.push is false/],
    [
      { artifacts: [{ image: 'localhost:50001/app' }] },
      { naming: { ...naming, defaultRepo: 'localhost:5000' } },
      /^image "localhost:50001\/app" begins like the default repository/,
    ],
    [{ artifacts: [{ image: 'localhost:5000/example2' }] }, {}, /begins like the default repository/],
    [
      { artifacts: [{ image: 'registry.corp:5000/x/app' }] },
      {},
      /has a host with a port.*"localhost:5000\/example\/registry.corp:5000\/x\/app"/,
    ],
    [{ artifacts: [{ image: 'Web' }] }, {}, /^image "Web" becomes "localhost:5000\/example\/Web": .*upper case/],
  ])('%j %j', (build, given, expected) => {
    expect(said(build, given)).toMatch(expected)
  })

  test('the same host with a port is fine in one level', () => {
    expect(
      said({ artifacts: [{ image: 'registry.corp:5000/x/app' }] }, { naming: { ...naming, multiLevel: false } }),
    ).toBe('')
  })

  test('the fix names the grant', () => {
    const { problems } = check({ artifacts: [web], cluster }, { grants: [] })
    expect(problems[0]?.fix).toBe('regctl grant builds example')
  })

  test.each([
    ['', /^no default repository is set/],
    ['gcr.io/mine', /"gcr.io\/mine"/],
    ['localhost:50001/x', /"localhost:50001\/x"/],
  ])('default repository "%s"', (defaultRepo, expected) => {
    expect(checkNaming({ ...naming, defaultRepo })[0]?.what).toMatch(expected)
  })
})

describe('the one grant that fits', () => {
  const grants = [grant('a', 'x'), grant('a', 'y', { exact: true }), grant('b', 'z', { readOnly: true })]
  test.each([
    [grants, { builder: 'in-cluster' }, { repository: 'x', namespace: 'a', granted: true }],
    [grants, { builder: 'local' }, { repository: 'x', granted: true }],
    [grants, { builder: 'local', repository: 'q' }, { repository: 'q', granted: false }],
    [grants, { builder: 'in-cluster', repository: 'x/sub' }, { repository: 'x/sub', namespace: 'a', granted: true }],
    [
      grants,
      { builder: 'in-cluster', repository: 'q', namespace: 'n' },
      { repository: 'q', namespace: 'n', granted: false },
    ],
    [[grant('a', 'x'), grant('b', 'x')], { builder: 'local' }, { repository: 'x', granted: true }],
    [
      [grant('a', 'x', { serviceAccount: 'ci' })],
      { builder: 'in-cluster' },
      { repository: 'x', namespace: 'a', serviceAccount: 'ci', granted: true },
    ],
    [
      [grant('a', 'x', { serviceAccount: 'ci' }), grant('a', 'x')],
      { builder: 'in-cluster' },
      { repository: 'x', namespace: 'a', granted: true },
    ],
  ] as const)('%j %j', (given, asked, expected) => {
    expect(chooseTarget(given, asked)).toEqual(expected)
  })

  test.each([
    [[], { builder: 'local' }, 'NO_GRANT'],
    [[grant('a', 'x', { serviceAccount: 'ada', developer: 'user:ada' })], { builder: 'in-cluster' }, 'NO_GRANT'],
    [grants, { builder: 'in-cluster', namespace: 'b' }, 'NO_GRANT'],
    [[grant('a', 'x'), grant('b', 'x')], { builder: 'in-cluster' }, 'WHICH_GRANT'],
    [[grant('a', 'x'), grant('a', 'y')], { builder: 'local' }, 'WHICH_GRANT'],
  ] as const)('%j %j: %s', (given, asked, code) => {
    expect(() => chooseTarget(given, asked)).toThrow(expect.objectContaining({ code }))
  })
})

test.each([
  [
    { initContainers: [{ name: 'kaniko-init-container' }] },
    { proxy: 'none', first: 'kaniko-init-container', contextFirst: true },
  ],
  [
    {
      initContainers: [
        { name: 'istio-init' },
        { name: 'istio-proxy', restartPolicy: 'Always' },
        { name: 'kaniko-init-container' },
      ],
    },
    { proxy: 'native', first: 'istio-init', contextFirst: false },
  ],
  [
    { initContainers: [{ name: 'kaniko-init-container' }, { name: 'istio-proxy', restartPolicy: 'Always' }] },
    { proxy: 'native', first: 'kaniko-init-container', contextFirst: true },
  ],
  [
    {
      initContainers: [{ name: 'kaniko-init-container' }, { name: 'istio-init' }],
      containers: [{ name: 'kaniko' }, { name: 'istio-proxy' }],
    },
    { proxy: 'classic', first: 'kaniko-init-container', contextFirst: true },
  ],
])('%j is read as %j', (spec, expected) => {
  expect(readBuilderPod({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec })).toEqual(expected)
})
