import { describe, expect, test } from 'vitest'
import { imageFault } from '../../../src/domain/tenant/image-rules.ts'
import { NO_TENANTS, type Tenants } from '../../../src/domain/tenant/tenants.ts'
import { oddPaths, others, otherWays } from '../../e2e/tenants/spellings.ts'
import { at } from '../at.ts'

const SERVICE = '10.96.7.7'
const STATE: Tenants = {
  ...NO_TENANTS,
  tenants: [
    { namespace: 'team-a', uid: 'uid-a', private: true },
    { namespace: 'team-b', uid: 'uid-b', private: true },
    { namespace: 'open', uid: 'uid-o', private: false },
  ],
  shares: [{ repository: 'team-a/base', namespace: 'team-b', uid: 'uid-b' }],
  addresses: [SERVICE, '[fd00::7]'],
}
const A = { namespace: 'team-a', uid: 'uid-a' }
const B = { namespace: 'team-b', uid: 'uid-b' }
const C = { namespace: 'team-c', uid: 'uid-c' }

const fault = (image: string, place = C, where = at) => imageFault(where, STATE, place, image)

describe('ways to name the registry', () => {
  test.each(otherWays(SERVICE))('%s is none', (host) => expect(fault(`${host}/open/app:1`)).toMatch(/no way to name/))
  test.each(oddPaths('team-a'))('%s is none', (image) => expect(fault(image)).toMatch(/no way to name/))
  test.each(others)('%s is of another registry', (image) => expect(fault(image)).toBeUndefined())
  test.each(['sha256:a15', `sha256:${'a'.repeat(64)}`, 'sha512:00'])('%s is an image id', (image) =>
    expect(fault(image)).toMatch(/is an image id/),
  )
  test.each(['sha256', 'example.com/sha256:a15', 'team/sha256:1', 'sha256-tools:1'])('%s is a name', (image) =>
    expect(fault(image)).toBeUndefined(),
  )
  test.each(['localhost:5000', '127.0.0.1:5000'])('%s is one', (host) => {
    for (const image of ['open/app', 'free', 'free/a_b/c__d/e--f.g:v1.2', 'open@sha256:abcdef0123'])
      expect(fault(`${host}/${image}`)).toBeUndefined()
  })
  test('an address of six parts', () => expect(fault('[fd00::7]:5000/open/app')).toMatch(/no way to name/))

  test('they go by the port that is installed', () => {
    const other = { ...at, port: 5001 }
    expect(fault('LOCALHOST:5001/app', C, other)).toMatch(/write localhost:5001/)
    expect(fault('LOCALHOST:5000/app', C, other)).toBeUndefined()
    expect(fault('localhost:5001/team-a/app', C, other)).toMatch(/belongs to tenant team-a/)
  })
})

describe('whose an image is', () => {
  test.each<[string, typeof A, boolean]>([
    ['localhost:5000/team-a/app:1', A, true],
    ['localhost:5000/team-a', A, true],
    ['localhost:5000/team-a/app:1', B, false],
    ['127.0.0.1:5000/team-a/app@sha256:abcdef', C, false],
    ['localhost:5000/team-a', C, false],
    ['localhost:5000/team-a:1', C, false],
    ['localhost:5000/team-ab/app', C, true],
    ['localhost:5000/x/team-a/app', C, true],
    ['localhost:5000/team-a/base:1', B, true],
    ['localhost:5000/team-a/base/deep:1', B, true],
    ['localhost:5000/team-a/base2:1', B, false],
    ['localhost:5000/team-a/base:1', C, false],
    ['localhost:5000/open/app', C, true],
    // Namesakes of a namespace that was deleted.
    ['localhost:5000/team-a/app', { ...A, uid: 'another' }, false],
    ['localhost:5000/team-a/base', { ...B, uid: 'another' }, false],
  ])('%s in %o: %s', (image, place, allowed) => expect(fault(image, place) === undefined).toBe(allowed))
})
