import { describe, expect, test } from 'vitest'
import { buildInput } from '../../src/flags/build.ts'
import { failure } from '../app/failure.ts'

const FLAGS = { namespace: 'kube-registry', builder: 'kaniko', privileged: false, timeout: '20m' } as const

describe('what is to be built', () => {
  test('by flags, before the environment', () => {
    const environment = { IMAGE: 'other:1', BUILD_CONTEXT: '/other', PUSH_IMAGE: 'false' }
    const flags = { ...FLAGS, tag: 'example:1', file: 'web', 'build-arg': ['A=1', 'B='], timeout: '5m' }
    expect(buildInput({ ...flags, 'build-namespace': 'ci' }, 'web', environment)).toEqual({
      registryNamespace: 'kube-registry',
      context: 'web',
      image: 'example:1',
      buildArgs: ['A=1', 'B='],
      builder: 'kaniko',
      privileged: false,
      timeoutMs: 300_000,
      dockerfile: 'web',
      namespace: 'ci',
    })
  })

  test('by the environment of Skaffold', () => {
    const environment = { IMAGE: 'localhost:5000/example:1', BUILD_CONTEXT: '/src', PUSH_IMAGE: 'true' }
    expect(buildInput(FLAGS, undefined, environment)).toMatchObject({
      image: 'localhost:5000/example:1',
      context: '/src',
    })
  })

  test('the stage to stop at', () => {
    expect(buildInput({ ...FLAGS, tag: 'a', target: 'b' }, undefined, {}).target).toBe('b')
    expect(buildInput({ ...FLAGS, tag: 'a' }, undefined, {})).not.toHaveProperty('target')
  })

  test('the platform of the flag, or of Skaffold', () => {
    const environment = { IMAGE: 'a', PLATFORMS: 'linux/amd64' }
    expect(buildInput(FLAGS, undefined, environment).platform).toBe('linux/amd64')
    expect(buildInput({ ...FLAGS, tag: 'a' }, undefined, environment).platform).toBeUndefined()
    const two = { ...FLAGS, builder: 'buildkit', platform: 'linux/amd64,linux/arm64/v8' } as const
    expect(buildInput(two, undefined, environment).platform).toBe('linux/amd64,linux/arm64/v8')
  })

  test('the current directory, where nothing else is said', () => {
    expect(buildInput({ ...FLAGS, tag: 'example' }, undefined, {}).context).toBe('.')
  })

  test('a build argument without a value has that of the environment', () => {
    const flags = { ...FLAGS, tag: 'example', 'build-arg': ['VERSION', 'NONE'] }
    expect(buildInput(flags, undefined, { VERSION: '3' }).buildArgs).toEqual(['VERSION=3', 'NONE='])
  })

  test.each<readonly [string, object, Readonly<Record<string, string>>, string, number]>([
    ['no image', {}, {}, 'NO_IMAGE', 2],
    ['an image that is not to be pushed', {}, { IMAGE: 'example', PUSH_IMAGE: 'false' }, 'NOT_PUSHED', 3],
    ['a build argument without a name', { tag: 'a', 'build-arg': ['=1'] }, {}, 'INVALID_BUILD_ARG', 2],
    ['privileges for Kaniko', { tag: 'a', privileged: true }, {}, 'NO_PRIVILEGES', 2],
    ['privileges for a rootless image', { tag: 'a', privileged: true, builder: 'buildkit' }, {}, 'NO_BUILDER_IMAGE', 2],
    ['a platform that is none', { tag: 'a', platform: 'amd64' }, {}, 'INVALID_PLATFORM', 2],
    ['two platforms for Kaniko', {}, { IMAGE: 'a', PLATFORMS: 'linux/amd64,linux/arm64' }, 'ONE_PLATFORM', 2],
    ['a time that is none', { tag: 'a', timeout: 'soon' }, {}, 'INVALID_DURATION', 2],
  ])('%s is refused', (_name, flags, environment, code, exit) => {
    expect(() => buildInput({ ...FLAGS, ...flags }, undefined, environment)).toThrow(failure(code, exit))
  })
})
