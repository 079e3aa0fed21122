import { describeRef } from '../../domain/kube-object.ts'
import { accessOf, accessRef, type DeveloperAccess } from '../../domain/stack/developer-access.ts'
import { preconditionError, RegctlError } from '../../errors.ts'
import type { AuthorityTarget, ForwardPorts } from '../../ports.ts'

/**
 * What developers have to know of the way in.
 * @throws precondition errors NO_DEVELOPER_ACCESS and NO_DEVELOPER_INGRESS
 */
export async function readAccess({ kube }: Pick<ForwardPorts, 'kube'>, namespace: string): Promise<DeveloperAccess> {
  const ref = accessRef({ namespace })
  const object = await kube.get(ref).catch((cause: unknown) => {
    if (!(cause instanceof RegctlError) || cause.code !== 'FORBIDDEN') throw cause
    throw preconditionError(
      'NO_DEVELOPER_ACCESS',
      `the way in for developers needs the right to get ${describeRef(ref)}, which context "${kube.target.context}" does not have`,
      { suggestions: [askForGrant('NAMESPACE')], details: { mode: 'mesh' }, cause },
    )
  })
  const access = object === undefined ? undefined : accessOf(object)
  if (access !== undefined) return access
  throw preconditionError(
    'NO_DEVELOPER_INGRESS',
    `the registry of namespace "${namespace}" has no way in for developers`,
    {
      suggestions: ['ask whoever may: regctl up --developer-ingress'],
      details: { mode: 'mesh' },
    },
  )
}

export const askForGrant = (namespace: string): string =>
  `ask whoever may: regctl grant ${namespace} REPOSITORY --developer user:YOU`

/** Addresses and roots change with the cluster. */
export class KnownAccess {
  readonly #ports: Pick<ForwardPorts, 'kube'>
  readonly #namespace: string
  #current: DeveloperAccess

  constructor(ports: Pick<ForwardPorts, 'kube'>, namespace: string, current: DeveloperAccess) {
    this.#ports = ports
    this.#namespace = namespace
    this.#current = current
  }

  get current(): DeveloperAccess {
    return this.#current
  }

  get authority(): AuthorityTarget {
    return { name: this.#current.authority, roots: this.#current.roots }
  }

  /** What was known does where nobody tells. */
  async lookAgain(): Promise<void> {
    try {
      this.#current = await readAccess(this.#ports, this.#namespace)
    } catch (error) {
      if (!(error instanceof RegctlError)) throw error
    }
  }
}
