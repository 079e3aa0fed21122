import { REGISTRY, remove } from '../attacks/kit.ts'
import { ensureNamespaces } from '../clients.ts'
import { kubectlOk, regctl, regctlOk } from '../cluster.ts'
import { upFlags } from '../images.ts'
import { certify, type Identity, tokenOf, type Way, wayIn } from './way-in.ts'

export const INGRESS = `${REGISTRY}-ingress`
export const ADA = ['--as', 'ada@example.org']
export const NOBODY = ['--as', 'nobody@example.org']

/** Everything `status` complains of. */
export const problems = async (): Promise<readonly string[]> => {
  const { problems } = JSON.parse((await regctl(['status', '--json'])).stdout) as { problems: { what: string }[] }
  return problems.map(({ what }) => what)
}

type Granted = { readonly grant: { readonly serviceAccount: string } }

/** The account somebody got in a namespace. */
export async function grantTo(
  namespace: string,
  developer: string,
  repository: string,
  ...flags: readonly string[]
): Promise<string> {
  const told = await regctlOk(['grant', namespace, repository, '--developer', developer, ...flags, '--json'])
  return (JSON.parse(told) as Granted).grant.serviceAccount
}

/** Changes what developers read of the way in. */
export const publish = (data: Readonly<Record<string, string>>): Promise<string> =>
  kubectlOk(['patch', 'configmap', 'developer-access', '-n', REGISTRY, '-p', JSON.stringify({ data })])

/** Without addresses of the registry itself, the gateway's are the only way. */
export const publishAddresses = (
  addresses: readonly string[],
  registryAddresses: readonly string[] = [],
): Promise<string> => {
  const lines = (all: readonly string[]) => all.map((address) => `${address}\n`).join('')
  return publish({ addresses: lines(addresses), registryAddresses: lines(registryAddresses) })
}

export const publishAgain = ({ way }: Stage): Promise<string> => publishAddresses(way.addresses, way.registryAddresses)

/** Ada, who may write `team` from outside, by a port of the nodes. */
export type Stage = { readonly way: Way; readonly account: string; readonly ada: Identity }

export const developerOf = (team: string, ...others: readonly string[]): Promise<Stage> =>
  stageOf('ada@example.org', team, ...others)

/** The same for another person: what the cluster is still forgetting of an earlier suite does not count for this one. */
export async function stageOf(user: string, team: string, ...others: readonly string[]): Promise<Stage> {
  // Nothing left of a run before that would keep the way in closed.
  await remove('namespace', [team, ...others])
  await Promise.all([
    regctlOk(['up', ...upFlags, '--developer-ingress-type', 'NodePort']),
    ensureNamespaces(team, ...others),
  ])
  const account = await grantTo(team, `user:${user}`, 'team')
  const way = await wayIn('--as', user)
  const ada = await certify(way, (await tokenOf(team, account, '--as', user)).stdout.trim())
  return { way, account, ada }
}
