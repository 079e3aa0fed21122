import { describe, expect, test } from 'vitest'
import { ledgerObject, setsIn } from '../../../src/domain/open-ports/ledger.ts'
import {
  type PortRequest,
  type PortSet,
  portAddress,
  setWith,
  withoutPort,
  withPort,
} from '../../../src/domain/open-ports/port-set.ts'
import { failure } from '../../app/failure.ts'
import { at } from '../at.ts'

const WEB: PortSet = {
  name: 'web',
  ports: [{ port: 443, targetPort: 8443, address: 'all' }],
  nodes: 'ingress=true',
  gatewaysFrom: ['team-a'],
}

describe('a port', () => {
  test('has a gateway of its own, which is called as the port is', () => {
    expect(withPort(at, [WEB], { port: 80 }).sets).toEqual([
      { name: '80', ports: [{ port: 80, targetPort: 8080, address: 'all' }], nodes: '', gatewaysFrom: [] },
      WEB,
    ])
  })

  test('may share one, and what is said of that is kept', () => {
    const { set } = withPort(at, [WEB], { port: 80, name: 'web', address: 'loopback' })
    expect(set).toEqual({ ...WEB, ports: [{ port: 80, targetPort: 8080, address: 'loopback' }, ...WEB.ports] })
  })

  test('keeps what is not given, and changes what is', () => {
    expect(withPort(at, [WEB], { port: 443 }).sets).toEqual([WEB])
    const changed = withPort(at, [WEB], { port: 443, targetPort: 9443, nodes: '', gatewaysFrom: ['b', 'a', 'b'] })
    expect(changed.set).toEqual({
      name: 'web',
      ports: [{ port: 443, targetPort: 9443, address: 'all' }],
      nodes: '',
      gatewaysFrom: ['a', 'b'],
    })
  })

  test('goes, and its set with the last one', () => {
    const both = withPort(at, [WEB], { port: 80, name: 'web' }).sets
    expect(setWith(both, 80)?.name).toBe('web')
    expect(withoutPort(both, 80)).toEqual([WEB])
    expect(withoutPort(withoutPort(both, 80), 443)).toEqual([])
    expect(withoutPort([WEB], 1)).toEqual([WEB])
  })

  test.each<[string, PortRequest, ReturnType<typeof failure>]>([
    ['of the registry', { port: 5000 }, failure('REGISTRY_PORT', 4, "port 5000 is the registry's")],
    ['of the node proxy', { port: 15_920 }, failure('REGISTRY_PORT', 4, "the node proxy's own")],
    ['zero', { port: 0 }, failure('INVALID_PORT', 2, 'port 0 is not between 1 and 65535')],
    ['beyond', { port: 65_536 }, failure('INVALID_PORT', 2)],
    ['open by another name', { port: 443, name: 'other' }, failure('PORT_OPEN', 4, 'in the set "web"')],
    [
      'on the pod where another is',
      { port: 8443, name: 'web' },
      failure('TARGET_TAKEN', 4, 'port 443 of the set "web"'),
    ],
    ["on the pod's own port", { port: 80, targetPort: 15_021 }, failure('INVALID_TARGET_PORT', 2, "the proxy's own")],
    ['on no port of the pod', { port: 80, targetPort: 70_000 }, failure('INVALID_TARGET_PORT', 2, 'between 1 and')],
    ['with a bad name', { port: 80, name: 'Web' }, failure('INVALID_NAME', 2)],
    ['with a name too long', { port: 80, name: 'a'.repeat(41) }, failure('INVALID_NAME', 2)],
  ])('%s is refused', (_, request, error) => {
    expect(() => withPort(at, [WEB], request)).toThrow(error)
  })

  test("of the registry's own choosing is refused, and 5000 all the same", () => {
    for (const port of [5001, 5000])
      expect(() => withPort({ ...at, port: 5001 }, [], { port })).toThrow(failure('REGISTRY_PORT', 4))
  })

  test.each([
    [443, 8443],
    [8443, 8443],
    [1023, 9023],
    [15_021, 16_021],
    [15_443, 15_443],
  ])('%i is %i at the pod', (port, targetPort) => {
    expect(withPort(at, [], { port }).set.ports).toEqual([{ port, targetPort, address: 'all' }])
  })
})

test('a namespace that would be too long is told', () => {
  const long = { namespace: 'r'.repeat(40), port: 5000 }
  expect(() => withPort(long, [], { port: 80, name: 'a'.repeat(20) })).toThrow(failure('INVALID_NAME', 2, '63'))
})

test('the list is read as it was written, and what is none is told from an empty one', () => {
  expect(setsIn(ledgerObject(at, [WEB]))).toEqual([WEB])
  expect(setsIn(undefined)).toEqual([])
  expect(setsIn({ ...ledgerObject(at, []), data: { 'sets.json': '{}' } })).toBeUndefined()
  expect(setsIn({ ...ledgerObject(at, []), data: {} })).toBeUndefined()
})

test('an address is one of two', () => {
  expect(portAddress('loopback')).toBe('loopback')
  expect(() => portAddress('::1')).toThrow(failure('INVALID_ADDRESS', 2))
})
