import { expect, test } from 'vitest'
import { imageName, reference } from '../../../src/domain/build/image.ts'
import { failure } from '../../app/failure.ts'

test.each([
  ['example/app:1', 'example/app', '1'],
  ['example', 'example', 'latest'],
  ['localhost:5000/example/app:v1.2_3-x', 'example/app', 'v1.2_3-x'],
  ['127.0.0.1:5000/example', 'example', 'latest'],
])('%s', (text, repository, tag) => {
  expect(imageName(text, 5000)).toEqual({ repository, tag })
})

test.each([
  ['ghcr.io/example/app:1', 'INVALID_IMAGE', 'another registry than localhost:5000'],
  ['localhost:5001/example:1', 'INVALID_IMAGE', 'another registry'],
  ['localhost/example:1', 'INVALID_IMAGE', 'another registry'],
  ['example:', 'INVALID_IMAGE', 'no valid tag'],
  ['example:a b', 'INVALID_IMAGE', 'no valid tag'],
  [`example@sha256:${'a'.repeat(64)}`, 'INVALID_IMAGE', 'has a digest'],
  ['Example:1', 'INVALID_REPOSITORY', 'upper case'],
])('%s is refused', (text, code, message) => {
  expect(() => imageName(text, 5000)).toThrow(failure(code, 2, message))
})

test('the reference is of the port the registry has', () => {
  expect(reference(imageName('localhost:5001/a/b:1', 5001), 5001)).toBe('localhost:5001/a/b:1')
})
