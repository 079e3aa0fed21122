import { isDeepStrictEqual } from 'node:util'
import { describeRef } from '../../domain/kube-object.ts'
import { accessOf, accessRef, type DeveloperAccess } from '../../domain/stack/developer-access.ts'
import { preconditionError, RegctlError } from '../../errors.ts'
import type { AuthorityTarget, ForwardPorts } from '../../ports/forward.ts'

/**
 * What developers have to know of the way in.
 * @throws precondition errors NO_DEVELOPER_ACCESS and NO_DEVELOPER_INGRESS
 */
export async function readAccess(
  { kube }: Pick<ForwardPorts, 'kube'>,
  namespace: string,
  signal?: AbortSignal,
): Promise<DeveloperAccess> {
  const ref = accessRef({ namespace })
  const object = await kube.get(ref, signal).catch((cause: unknown) => {
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

/** What a developer may not run. */
export const ASK_STATUS = 'ask whoever may: regctl status'

export const askForGrant = (namespace: string): string =>
  `ask whoever may: regctl grant ${namespace} REPOSITORY --developer user:YOU`

const LOOK_LIMIT = 5_000
const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 30_000

/** Addresses and roots change with the cluster. */
export class KnownAccess {
  readonly #ports: Pick<ForwardPorts, 'kube' | 'clock'>
  readonly #namespace: string
  #current: DeveloperAccess
  #looked: number
  #pause = FIRST_PAUSE
  #looking: Promise<void> | undefined

  constructor(ports: Pick<ForwardPorts, 'kube' | 'clock'>, namespace: string, current: DeveloperAccess) {
    this.#ports = ports
    this.#namespace = namespace
    this.#current = current
    this.#looked = ports.clock.now()
  }

  get current(): DeveloperAccess {
    return this.#current
  }

  get authority(): AuthorityTarget {
    return { name: this.#current.authority, roots: this.#current.roots }
  }

  /** Where connections fail, and again after ever longer pauses while that finds nothing new. */
  async lookSoon(): Promise<void> {
    const passed = Math.abs(this.#ports.clock.now() - this.#looked)
    if (passed < this.#pause) return this.#looking
    const before = this.#current
    await this.lookAgain()
    this.#pause =
      this.#current !== before || passed > 2 * LONGEST_PAUSE ? FIRST_PAUSE : Math.min(this.#pause * 2, LONGEST_PAUSE)
  }

  /** What was known does where nobody tells. */
  async lookAgain(): Promise<void> {
    this.#looked = this.#ports.clock.now()
    this.#looking = this.#look()
    await this.#looking
  }

  async #look(): Promise<void> {
    const limit = AbortSignal.timeout(LOOK_LIMIT)
    try {
      const found = await readAccess(this.#ports, this.#namespace, limit)
      if (!isDeepStrictEqual(found, this.#current)) this.#current = found
    } catch (error) {
      if (!(error instanceof RegctlError) && !limit.aborted) throw error
    }
  }
}
