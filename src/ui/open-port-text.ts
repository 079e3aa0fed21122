import type { OpenPortResult } from '../app/open-ports/open.ts'
import { shellWord } from '../domain/shell-word.ts'
import { documents } from './documents.ts'

/** All of it is YAML, remarks as comments, so that it can be kept as a file and applied. */
export function openPortText(result: OpenPortResult): string {
  const { port, name, namespace, example, secret } = result
  const count = result.nodes.filter(({ ready }) => ready).length
  const remarks = [
    `Port ${port} of ${count} node${count === 1 ? '' : 's'} leads to the gateway "${name}" (namespace ${namespace})${result.changed ? '' : '; nothing to change'}.`,
    `Gateways attach from: ${[namespace, ...result.gatewaysFrom.filter((one) => one !== namespace)].join(', ')}`,
    ...reach(result),
    ...(secret === null
      ? []
      : [
          'The certificate of the example:',
          `  kubectl create secret tls ${secret} -n ${shellWord(namespace)} --cert FILE --key FILE`,
        ]),
    'To begin with; change host and destination, then: kubectl apply -f FILE',
  ]
  return `${remarks.map((line) => `# ${line}`).join('\n')}\n${documents(example)}`
}

function reach({ port, address, host, dns, nodes, firewall }: OpenPortResult): readonly string[] {
  const inMesh = `In the mesh it is ${host}:${port}.`
  if (address === 'loopback') return [`Only processes of a node reach it, by 127.0.0.1:${port}.`, inMesh]
  return [
    'DNS: the names that are served need these addresses (regctl ports --watch shows them as they change):',
    ...nodes
      .filter(({ ready }) => ready)
      .flatMap(({ node, addresses }) => addresses.map((one) => `  ${one} (${node})`)),
    ...(dns.length === 0 ? ['  none yet: no node is ready'] : []),
    ...(firewall === null
      ? []
      : [`Firewall (${firewall.cloud}; from everywhere, narrow it as you like):`, `  ${firewall.command}`]),
    inMesh,
  ]
}
