import type { OpenPorts, PortState } from '../app/open-ports/list.ts'
import { faultsText } from './problems-text.ts'
import { table } from './table.ts'
import { theme } from './theme.ts'

export function portsText({ ports, problems }: OpenPorts): string {
  if (ports.length === 0) return "No port is open besides the registry's. Next: regctl open-port 443"
  const parts = [table(['PORT', 'NAME', 'NODES', 'ADDRESSES', 'GATEWAY', 'HOSTS'], ports.flatMap(rows))]
  return [...parts, ...(problems.length === 0 ? [] : [faultsText(problems)])].join('\n\n')
}

/** A line for each Gateway; the port's own part stands in the first. */
function rows(state: PortState): readonly (readonly string[])[] {
  const ready = state.nodes.filter((node) => node.ready)
  const count = `${ready.length}/${state.nodes.length}`
  const own = [
    String(state.port),
    state.name,
    ready.length === state.nodes.length ? count : theme.bad(count),
    state.address === 'loopback' ? '127.0.0.1 of each node' : ready.flatMap(({ addresses }) => addresses).join(' '),
  ]
  if (state.gateways.length === 0) return [[...own, theme.faint('none'), '']]
  return state.gateways.map(({ gateway, namespace, hosts }, index) => [
    ...(index === 0 ? own : ['', '', '', '']),
    `${namespace}/${gateway}`,
    hosts.join(' '),
  ])
}
