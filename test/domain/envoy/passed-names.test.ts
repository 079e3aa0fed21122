import { expect, test } from 'vitest'
import { passing, passingFault } from '../../../src/domain/envoy/passed-names.ts'

const NAMES = ['authority', 'registry']

const listener = (port: number, ...chains: readonly (readonly string[] | undefined)[]) => ({
  address: { socket_address: { port_value: port } },
  filter_chains: chains.map((server_names) =>
    server_names === undefined ? {} : { filter_chain_match: { server_names } },
  ),
})

const fault = (...listeners: readonly object[]) =>
  passingFault(
    passing(JSON.stringify({ configs: listeners.map((one) => ({ active_state: { listener: one } })) })),
    15_443,
    NAMES,
  )

test.each([
  ['both names', [listener(15_443, ['registry'], ['authority'])], undefined],
  ['both in one chain', [listener(15_443, ['registry', 'authority'])], undefined],
  ['nothing', [], 'it does not pass authority, registry on yet'],
  ['one', [listener(15_443, ['registry'])], 'it does not pass authority on yet'],
  ['a third', [listener(15_443, ['registry'], ['authority'], ['*.local'])], 'it passes *.local on as well'],
  ['any', [listener(15_443, ['registry', 'authority'], undefined)], 'it passes * on as well'],
  ['whatever fits no chain', [{ ...listener(15_443, NAMES), default_filter_chain: {} }], 'it passes * on as well'],
  ['another port', [listener(15_443, NAMES), listener(8443, ['x'])], 'it listens on port 8443 as well'],
])('a gateway that passes %s', (_, listeners, said) => {
  expect(fault(...listeners)).toBe(said)
})

test('a listener that is only being made counts for nothing', () => {
  const warming = { warming_state: { listener: listener(15_443, ['*']) } }
  expect(passing(JSON.stringify({ configs: [warming] }))).toEqual([])
})
