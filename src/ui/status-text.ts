import type { Status } from '../app/inspect/status.ts'
import { table } from './table.ts'
import { theme } from './theme.ts'

const state = (ready: boolean): string => (ready ? theme.good('ready') : theme.bad('not ready'))

const gibibytes = (bytes: number): string =>
  bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`

export function statusText(status: Status): string {
  const { storage } = status
  const used = storage.usedBytes === undefined ? '' : `, ${gibibytes(storage.usedBytes)} used`
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
    `Storage: ${storage.kind}${size}${used}. Kubernetes ${status.versions.kubernetes}. Grants: ${status.grants.length}.`,
  ]
  if (status.developerIngress !== null) parts.push(ingressText(status.developerIngress))
  if (status.problems.length === 0)
    return [...parts, theme.good(`All is well: localhost:${status.port} serves on every node.`)].join('\n\n')
  const problems = status.problems.map(
    ({ what, fix }) => `${theme.bad('✖')} ${what}\n  ${theme.faint('fix:')} ${theme.command(fix)}`,
  )
  return [...parts, problems.join('\n')].join('\n\n')
}

const ingressText = ({ type, addresses }: NonNullable<Status['developerIngress']>): string =>
  `Developers come in by ${addresses.length === 0 ? "a port-forward of the gateway's pod" : addresses.join(', ')} (${type}).`
