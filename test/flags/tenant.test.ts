import { expect, test } from 'vitest'
import { tenantName } from '../../src/flags/tenant.ts'

test.each(['team-a', 'a', 'a--b', '0'])('namespace %s can have a repository', (name) =>
  expect(tenantName(name)).toBe(name),
)

test.each(['blobs', 'tags', 'manifests', 'Team', 'a/b', 'a.b', '', '-a'])('namespace "%s" cannot', (name) =>
  expect(() => tenantName(name)).toThrow(/is not a valid/),
)
