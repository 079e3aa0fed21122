import { describe, expect, test } from 'vitest'
import { parseSkaffold } from '../../../src/domain/skaffold/config.ts'
import { effectiveBuild } from '../../../src/domain/skaffold/effective.ts'
import { choicesIn, isOwnProfile, type ProfileOptions, profileFor } from '../../../src/domain/skaffold/profile.ts'
import { local, options } from './options.ts'

const configOf = (build: unknown, apiVersion = 'skaffold/v4beta13', profiles?: unknown) => {
  const [config] = parseSkaffold(
    'f',
    JSON.stringify({ apiVersion, kind: 'Config', build, ...(profiles ? { profiles } : {}) }),
  ).configs
  if (config === undefined) throw new Error('no configuration')
  return config
}

/** The build as Skaffold has it with our profile on. */
function withProfile(build: unknown, wanted: ProfileOptions = options, apiVersion?: string) {
  const { profile, why } = profileFor(configOf(build, apiVersion), wanted)
  if (profile === undefined) return why
  expect(isOwnProfile(JSON.parse(JSON.stringify(profile)))).toBe(true)
  return effectiveBuild(configOf(build, apiVersion, [profile]), 'regctl')
}

const cache = { repo: 'localhost:5000/example/cache' }
const images = { image: 'kaniko:1', initImage: 'busybox:1' }
const cluster = { namespace: 'builds' }

describe('in the cluster, by regctl build', () => {
  const own = { ...options, cluster: { namespace: 'builds', labels: {}, annotations: {}, ownBuilder: true as const } }
  const command = 'regctl build --build-namespace builds'
  const custom = (buildCommand: string, path = 'Dockerfile') => ({
    buildCommand,
    dependencies: { dockerfile: { path } },
  })
  test.each<[string, unknown, unknown]>([
    ['an artifact that says nothing', { image: 'a' }, { image: 'a', custom: custom(command) }],
    [
      'a Dockerfile with what belongs to it',
      { image: 'a', docker: { dockerfile: 'D', target: 't', buildArgs: { x: "it's", y: null, z: 1 } } },
      {
        image: 'a',
        custom: custom(
          String.raw`${command} --file D --target t --build-arg 'x=it'\''s' --build-arg y --build-arg z=1`,
          'D',
        ),
      },
    ],
    [
      'Kaniko with an image of its own',
      { image: 'a', kaniko: { image: 'k:1', initImage: 'i' } },
      { image: 'a', custom: custom(`${command} --builder-image k:1`) },
    ],
    [
      'a builder of the user',
      { image: 'a', custom: { buildCommand: 'x' } },
      { image: 'a', custom: { buildCommand: 'x' } },
    ],
  ])('%s', (_, artifact, expected) => {
    expect(withProfile({ artifacts: [artifact], local: {} }, own)).toEqual({ artifacts: [expected], cluster })
  })

  test('as the service account that is granted', () => {
    const wanted = { ...own, cluster: { ...own.cluster, serviceAccount: 'ci' } }
    const build = withProfile({ artifacts: [{ image: 'a' }], local: {} }, wanted)
    expect(JSON.stringify(build)).toContain('--build-namespace builds --service-account ci"')
  })
})

describe('in the cluster', () => {
  test.each<[string, unknown, unknown]>([
    ['an artifact that says nothing', { image: 'a' }, { image: 'a', kaniko: { ...images, cache } }],
    [
      'a Dockerfile with what belongs to it',
      { image: 'a', docker: { dockerfile: 'D', target: 't', buildArgs: { x: '1' } } },
      { image: 'a', kaniko: { dockerfile: 'D', target: 't', buildArgs: { x: '1' }, ...images, cache } },
    ],
    [
      'one that wants no cache',
      { image: 'a', docker: { noCache: true } },
      { image: 'a', kaniko: { noCache: true, ...images } },
    ],
    ['an empty docker', { image: 'a', docker: {} }, { image: 'a', kaniko: { ...images, cache } }],
    [
      'a docker without a value',
      { image: 'a', docker: null },
      { image: 'a', docker: null, kaniko: { ...images, cache } },
    ],
    [
      'Kaniko with images of its own',
      { image: 'a', kaniko: { image: 'k', initImage: 'i' } },
      { image: 'a', kaniko: { image: 'k', initImage: 'i' } },
    ],
    ['Kaniko without', { image: 'a', kaniko: { target: 't' } }, { image: 'a', kaniko: { target: 't', ...images } }],
    [
      'a cache beside the image',
      { image: 'a', kaniko: { cache: {} } },
      { image: 'a', kaniko: { cache: {}, ...images } },
    ],
    [
      'a cache elsewhere',
      { image: 'a', kaniko: { cache: { repo: 'gcr.io/x', ttl: '1h' } } },
      { image: 'a', kaniko: { cache: { ...cache, ttl: '1h' }, ...images } },
    ],
    [
      'a cache below the grant',
      { image: 'a', kaniko: { cache: { repo: 'localhost:5000/example/c' } } },
      { image: 'a', kaniko: { cache: { repo: 'localhost:5000/example/c' }, ...images } },
    ],
    [
      'a cache of a neighbour with the same beginning',
      { image: 'a', kaniko: { cache: { repo: 'localhost:5000/example2' } } },
      { image: 'a', kaniko: { cache, ...images } },
    ],
    [
      'a builder of the user',
      { image: 'a', custom: { buildCommand: 'x' } },
      { image: 'a', custom: { buildCommand: 'x' } },
    ],
  ])('%s', (_, artifact, expected) => {
    expect(withProfile({ artifacts: [artifact], local: {} })).toEqual({ artifacts: [expected], cluster })
  })

  test("keeps the file's own settings of the cluster", () => {
    const own = { timeout: '1h', namespace: 'old', labels: { a: 'b' } }
    const wanted = {
      ...options,
      cluster: { namespace: 'builds', serviceAccount: 'ci', labels: { 'x/y~z': '1' }, annotations: { 'n/m': '2' } },
    }
    expect(withProfile({ artifacts: [{ image: 'a', custom: {} }], cluster: own }, wanted)).toEqual({
      artifacts: [{ image: 'a', custom: {} }],
      cluster: {
        timeout: '1h',
        namespace: 'builds',
        serviceAccount: 'ci',
        labels: { a: 'b', 'x/y~z': '1' },
        annotations: { 'n/m': '2' },
      },
    })
  })

  test.each([
    [{ artifacts: [{ image: 'a', jib: {} }, { image: 'b' }] }, undefined, /cannot build "a" \(jib\) in the cluster/],
    [{ artifacts: [{ image: 'a' }] }, 'skaffold/v1beta6', /skaffold fix --overwrite/],
    [{ artifacts: [] }, undefined, undefined],
  ] as const)('%j in %s: no profile', (build, apiVersion, why) => {
    const said = withProfile(build, options, apiVersion)
    if (why === undefined) expect(said).toBeUndefined()
    else expect(said).toMatch(why)
  })

  test('what an earlier run was told is read back from its profile', () => {
    const wanted = { ...options, activate: true }
    const { profile } = profileFor(configOf({ artifacts: [{ image: 'a', docker: {} }], cluster: {} }), wanted)
    expect(choicesIn(profile as never)).toEqual({
      namespace: 'builds',
      kanikoImage: 'kaniko:1',
      initImage: 'busybox:1',
      activate: true,
    })
  })
})

describe('on the workstation', () => {
  test.each<[string, unknown, unknown]>([
    ['as it is', { artifacts: [{ image: 'a' }] }, undefined],
    [
      'told not to push',
      { artifacts: [{ image: 'a' }], local: { push: false, useBuildkit: true } },
      { artifacts: [{ image: 'a' }], local: { push: true, useBuildkit: true } },
    ],
    [
      'built by Google',
      { artifacts: [{ image: 'a' }], googleCloudBuild: {} },
      { artifacts: [{ image: 'a' }], local: {} },
    ],
    [
      'built in the cluster',
      { artifacts: [{ image: 'a', kaniko: { dockerfile: 'D' } }], cluster: {} },
      { artifacts: [{ image: 'a', docker: { dockerfile: 'D' } }], local: {} },
    ],
  ])('%s', (_, build, expected) => {
    expect(withProfile(build, local)).toEqual(expected)
  })
})

test.each([
  [{ name: 'regctl', deploy: {} }],
  [{ name: 'regctl' }],
  [{ name: 'regctl', build: { cluster: { namespace: 'a', timeout: '1h' } } }],
  [{ name: 'regctl', build: { cluster: {}, artifacts: [] } }],
  [{ name: 'regctl', build: { googleCloudBuild: {} } }],
  [{ name: 'regctl', patches: [{ op: 'add', path: '/deploy/kubectl' }] }],
  [{ name: 'regctl', build: { local: {} }, activation: [{ kubeContext: 'mine' }] }],
])('%j is not of our making', (profile) => {
  expect(isOwnProfile(profile)).toBe(false)
})

test('a patch that no longer fits is told', () => {
  const profile = {
    name: 'regctl',
    patches: [{ op: 'move', from: '/build/artifacts/1/docker', path: '/build/artifacts/1/kaniko' }],
  }
  expect(effectiveBuild(configOf({ artifacts: [{ image: 'a' }] }, undefined, [profile]), 'regctl')).toBeUndefined()
})
