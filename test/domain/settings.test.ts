import { describe, expect, test } from 'vitest'
import {
  bytesOf,
  checkChange,
  DEFAULTS,
  type GivenSettings,
  mergeSettings,
  type Settings,
} from '../../src/domain/settings.ts'

const KEPT: Settings = { ...DEFAULTS, port: 5001, revision: 'canary', storageClass: 'fast', size: '5Gi' }

describe('mergeSettings', () => {
  test.each<[string, Settings | undefined, GivenSettings, Settings]>([
    ['nothing given: the defaults', undefined, {}, DEFAULTS],
    ['nothing given: what was kept', KEPT, {}, KEPT],
    ['given over defaults', undefined, { port: 5001 }, { ...DEFAULTS, port: 5001 }],
    ['given over kept', KEPT, { size: '6Gi' }, { ...KEPT, size: '6Gi' }],
    ['null goes back to the default', KEPT, { size: null, port: null }, { ...KEPT, size: '20Gi', port: 5000 }],
    [
      'null without a default ends it',
      KEPT,
      { revision: null, storageClass: null },
      { ...DEFAULTS, port: 5001, size: '5Gi' },
    ],
    ['a default that came later', { port: 5000 } as Settings, {}, DEFAULTS],
  ])('%s', (_, kept, given, expected) => expect(mergeSettings(kept, given)).toStrictEqual(expected))

  test.each<[GivenSettings, string, string]>([
    [{ port: 80 }, 'INVALID_PORT', 'port 80 is not between 1024 and 65535'],
    [{ port: 65_536 }, 'INVALID_PORT', 'port 65536 is not between 1024 and 65535'],
    [{ port: 5000.5 }, 'INVALID_PORT', 'port 5000.5 is not between 1024 and 65535'],
    [{ size: 'big' }, 'INVALID_SIZE', 'size "big" is not a quantity such as 20Gi'],
    [{ size: '-1Gi' }, 'INVALID_SIZE', 'size "-1Gi" is not a quantity such as 20Gi'],
    [{ size: '512Ki' }, 'INVALID_SIZE', 'size "512Ki" is less than 1Mi'],
    [{ image: ' ' }, 'INVALID_IMAGE', 'image " " is not an image reference'],
    [{ image: 'a b' }, 'INVALID_IMAGE', 'image "a b" is not an image reference'],
    [{ revision: 'A b' }, 'INVALID_REVISION', 'revision "A b" is not one such as 1-31-0 or canary'],
    [{ istioVersion: 'new' }, 'INVALID_VERSION', 'Istio version "new" is not one such as 1.30.2'],
  ])('%j is refused', (given, code, message) => {
    expect(() => mergeSettings(undefined, given)).toThrow(
      expect.objectContaining({ code, message, oclif: { exit: 2 } }),
    )
  })
})

test.each([
  ['1', 1],
  ['1k', 1000],
  ['1Ki', 1024],
  ['1.5Gi', 1.5 * 2 ** 30],
  ['20Gi', 20 * 2 ** 30],
  ['1M', 1e6],
  ['2T', 2e12],
  ['1Pi', 2 ** 50],
])('%s in bytes', (quantity, expected) => expect(bytesOf(quantity)).toBe(expected))

describe('checkChange', () => {
  test.each<[string, Partial<Settings>]>([
    ['nothing', {}],
    ['a larger size', { size: '6Gi' }],
    ['the same size in other words', { size: '5120Mi' }],
    ['another image', { image: 'registry:4' }],
    ['another revision', { revision: 'stable' }],
  ])('lets %s through', (_, change) => expect(() => checkChange(KEPT, { ...KEPT, ...change })).not.toThrow())

  test.each<[Partial<Settings>, string, RegExp]>([
    [
      { storage: 'emptydir' },
      'the storage is "pvc" and cannot become "emptydir" without losing the images',
      /--delete-data/,
    ],
    [
      { storageClass: 'slow' },
      'the storage class is "fast" and cannot become "slow" without losing the images',
      /--delete-data/,
    ],
    [{ size: '4Gi' }, 'the size is "5Gi" and cannot become "4Gi" without losing the images', /--delete-data/],
    [{ port: 5002 }, 'the port is "5001" and cannot become "5002" while the registry is installed', /keeps the images/],
  ])('refuses %j', (change, message, suggestion) => {
    expect(() => checkChange(KEPT, { ...KEPT, ...change })).toThrow(
      expect.objectContaining({
        code: 'SETTING_FIXED',
        message,
        oclif: { exit: 4 },
        suggestions: [expect.stringMatching(suggestion)],
      }),
    )
  })

  test('the default class is not a class by name', () => {
    expect(() => checkChange(DEFAULTS, { ...DEFAULTS, storageClass: 'fast' })).toThrow(
      'is "default" and cannot become "fast"',
    )
  })

  test('without a volume neither size nor class matter', () => {
    const kept: Settings = { ...DEFAULTS, storage: 'emptydir' }
    expect(() => checkChange(kept, { ...kept, size: '1Gi', storageClass: 'x' })).not.toThrow()
  })
})
