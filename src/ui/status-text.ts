import type { Status } from '../app/inspect/status.ts'
import { repositoriesText, wayText } from './expose-text.ts'
import { faultsText } from './problems-text.ts'
import { table } from './table.ts'
import { theme } from './theme.ts'

const state = (ready: boolean): string => (ready ? theme.good('ready') : theme.bad('not ready'))

const gibibytes = (bytes: number): string =>
  bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`

export function statusText(status: Status): string {
  const { storage } = status
  const used = storage.usedBytes === undefined ? '' : `, ${gibibytes(storage.usedBytes)} used`
  const full = storage.fullPercent === undefined ? '' : `, its volume ${storage.fullPercent} % full`
  const size = storage.size === undefined ? '' : ` ${storage.size} ${storage.phase}`
  const parts = [
    table(
      ['WHAT', 'WHERE', 'STATE', 'IMAGE'],
      [
        ...status.registry.map((pod) => ['registry', pod.node, state(pod.ready), pod.imageId || pod.image]),
        ...status.nodes.map(({ node, proxy }) => [
          status.nodeProxy === 'gateway' ? 'node gateway' : 'node proxy',
          node,
          proxy === null ? theme.bad('missing') : state(proxy.ready),
          proxy?.image ?? '',
        ]),
        ...(status.developerIngress?.pods ?? []).map((pod) => [
          'developer gateway',
          pod.node,
          state(pod.ready),
          pod.image,
        ]),
      ],
    ),
    `Storage: ${storage.kind}${size}${used}${full}. Kubernetes ${status.versions.kubernetes}. Grants: ${status.grants.length}${status.external.length === 0 ? '' : `, and ${status.external.length} from outside`}.${tenantsText(status)}`,
  ]
  if (status.developerIngress !== null) parts.push(ingressText(status.developerIngress))
  if (status.openPorts.length > 0)
    parts.push(
      `Open ports: ${status.openPorts.map(({ port, name }) => `${port} (${name})`).join(', ')}. Who uses them: regctl ports`,
    )
  if (status.exposures.length > 0)
    parts.push(
      table(
        ['EXPOSED AS', 'REPOSITORIES', 'TLS', 'ANSWERS AT'],
        status.exposures.map((one) => [one.host, repositoriesText(one), wayText(one), one.addresses.join(', ')]),
      ),
    )
  if (status.accepted.length > 0)
    parts.push(
      table(
        ['ACCEPTED IN A PRIVATE TENANT', 'END IT BY'],
        status.accepted.map(({ why, fix }) => [why, fix]),
      ),
    )
  if (status.problems.length === 0)
    return [...parts, theme.good(`All is well: localhost:${status.port} serves on every node.`)].join('\n\n')
  return [...parts, faultsText(status.problems)].join('\n\n')
}

const ingressText = ({ type, addresses, registryAddresses }: NonNullable<Status['developerIngress']>): string =>
  `Developers come in by ${addresses.length === 0 ? "a port-forward of the gateway's pod" : addresses.join(', ')} (${type})${
    registryAddresses.length === 0 ? '' : `, to the registry's own proxy by ${registryAddresses.join(', ')}`
  }.`

function tenantsText({ tenants }: Status): string {
  if (tenants.length === 0) return ''
  return ` Tenants: ${tenants.length}, ${tenants.filter((tenant) => tenant.private).length} of them private.`
}
