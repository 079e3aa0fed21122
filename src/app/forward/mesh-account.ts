import { preconditionError, type RegctlError } from '../../errors.ts'
import type { ForwardPorts } from '../../ports/forward.ts'
import { askForGrant } from './mesh-access.ts'

export type Account = { readonly namespace: string; readonly serviceAccount: string }

/**
 * The service account to become: the one that was named, or the only one that RBAC lets the caller become by name.
 * @throws precondition errors NO_IDENTITY and SEVERAL_IDENTITIES
 */
export async function chooseAccount(
  { kube, accounts }: Pick<ForwardPorts, 'kube' | 'accounts'>,
  asked: Partial<Account> = {},
): Promise<Account> {
  const { namespace = accounts.namespace, serviceAccount } = asked
  if (serviceAccount !== undefined) {
    const right = { verb: 'create', group: '', resource: 'serviceaccounts', subresource: 'token' }
    if (await kube.can({ ...right, namespace, name: serviceAccount })) return { namespace, serviceAccount }
    throw noIdentity(
      `context "${kube.target.context}" may not create serviceaccounts/token of "${serviceAccount}" in namespace "${namespace}"`,
      namespace,
    )
  }
  const mine = await accounts.mine(namespace)
  const [only] = mine
  if (only === undefined)
    throw noIdentity(
      `context "${kube.target.context}" may become no service account of namespace "${namespace}"`,
      namespace,
      ['regctl dev-forward --identity NAMESPACE'],
    )
  if (mine.length === 1) return { namespace, serviceAccount: only }
  throw preconditionError(
    'SEVERAL_IDENTITIES',
    `context "${kube.target.context}" may become ${mine.join(' and ')} of namespace "${namespace}"`,
    { suggestions: mine.map((name) => `regctl dev-forward --identity ${namespace}/${name}`) },
  )
}

const noIdentity = (why: string, namespace: string, suggestions: readonly string[] = []): RegctlError =>
  preconditionError('NO_IDENTITY', `a developer needs a service account to be: ${why}`, {
    suggestions: [...suggestions, askForGrant(namespace)],
    details: { mode: 'mesh' },
  })
