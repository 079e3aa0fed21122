import { Changes } from '../../domain/changes.ts'
import { failuresAfter, pauseAfter, slept } from '../../domain/forward/backoff.ts'
import type { Issued } from '../../domain/forward/identity.ts'
import { spiffeId } from '../../domain/policy/identity.ts'
import { clusterError, preconditionError, RegctlError } from '../../errors.ts'
import type { ForwardPorts } from '../../ports/forward.ts'
import type { Gateway } from './gateway.ts'
import { ASK_STATUS, askForGrant, type KnownAccess } from './mesh-access.ts'
import type { Account } from './mesh-account.ts'

/** What istiod expects a token for it to be for. */
const AUDIENCE = 'istio-ca'
/** The shortest life the API server gives a token; it is used once. */
const TOKEN_SECONDS = 600
/** Renewed after this part of its life, so that istiod may be away for the rest. */
const RENEW_AFTER = 0.4
/** Timers stand still while a machine sleeps, so none is long. */
const LOOK_EVERY = 5_000
const RENEWAL_LIMIT = 30_000

export type MeshIdentityOptions = {
  readonly account: Account
  /** Life of a certificate. */
  readonly seconds: number
  readonly access: KnownAccess
  readonly gateway: Gateway
}

/** A developer's certificate, renewed for as long as it is wanted. Key and certificate are in memory alone. */
export class MeshIdentity {
  readonly #ports: ForwardPorts
  readonly #options: MeshIdentityOptions
  readonly #end = new AbortController()
  readonly #changes = new Changes()
  readonly #done: Promise<void>
  #issued: Issued | undefined
  #expires = 0
  #trouble: RegctlError = clusterError('NO_CERTIFICATE', 'no certificate was issued yet')
  #renewalFails = false

  constructor(ports: ForwardPorts, options: MeshIdentityOptions) {
    this.#ports = ports
    this.#options = options
    this.#done = this.#keep()
  }

  /** Undefined before the first one, and when it ran out. */
  get current(): Issued | undefined {
    return this.#ports.clock.now() < this.#expires ? this.#issued : undefined
  }

  /** Milliseconds since 1970; 0 before the first one. */
  get expires(): number {
    return this.#expires
  }

  /** Why there is none, or why there will be no next one; undefined where all is well. */
  get trouble(): RegctlError | undefined {
    return this.current === undefined || this.#renewalFails ? this.#trouble : undefined
  }

  onChange(listener: () => void): () => void {
    return this.#changes.listen(listener)
  }

  /** @throws the trouble, when aborted before there is one */
  async ready(signal: AbortSignal): Promise<Issued> {
    for (;;) {
      const { current } = this
      if (current !== undefined) return current
      if (signal.aborted || this.#end.signal.aborted) throw this.#trouble
      await this.#changes.next(signal)
    }
  }

  async close(): Promise<void> {
    this.#end.abort()
    this.#changes.tell()
    await this.#done
  }

  async #keep(): Promise<void> {
    const signal = this.#end.signal
    let failures = 0
    while (!signal.aborted) {
      const started = this.#ports.clock.now()
      try {
        await this.#renew(AbortSignal.any([signal, AbortSignal.timeout(RENEWAL_LIMIT)]))
        failures = 0
        this.#renewalFails = false
        this.#changes.tell()
        const life = this.#expires - started
        await this.#sleepUntil(started + life * RENEW_AFTER)
      } catch (error) {
        if (signal.aborted) return
        this.#trouble = this.#said(error)
        this.#renewalFails = true
        this.#changes.tell()
        failures = failuresAfter(failures, 0)
        await this.#ports.clock.sleep(pauseAfter(failures), signal).catch(() => {})
      }
    }
  }

  /** Of a grant that was taken back, and of a time limit, which say nothing of the kind themselves. */
  #said(error: unknown): RegctlError {
    const { namespace, serviceAccount } = this.#options.account
    if (!(error instanceof RegctlError)) {
      const late = (error as Error).name === 'TimeoutError'
      return clusterError('NO_CERTIFICATE', late ? 'no certificate came within 30 s' : String(error), {
        suggestions: [ASK_STATUS],
      })
    }
    if (!['FORBIDDEN', 'NOT_FOUND'].includes(error.code)) return error
    const { context } = this.#ports.kube.target
    const why = `context "${context}" may not, or no longer, be "${serviceAccount}" of namespace "${namespace}": ${error.message}`
    return preconditionError('NO_IDENTITY', why, {
      // The same person, granted again, gets another account.
      suggestions: [askForGrant(namespace), 'then start it anew: regctl dev-forward'],
      details: { mode: 'mesh' },
      cause: error,
    })
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { accounts, mesh, clock } = this.#ports
    const { account, seconds, access, gateway } = this.#options
    const [token] = await Promise.all([
      accounts.token(account, { audience: AUDIENCE, seconds: TOKEN_SECONDS }, signal),
      gateway.path(signal),
      // What was read at the start is new enough for the first one.
      this.#issued === undefined ? undefined : access.lookAgain(),
    ])
    const connection = await gateway.open(signal)
    const started = clock.now()
    const issued = await mesh
      .certify(connection, access.authority, { token, seconds }, signal)
      .catch((error: unknown) => {
        gateway.doubt()
        throw error
      })
    const expected = spiffeId(access.current.trustDomain, account.namespace, account.serviceAccount)
    if (issued.principal !== expected)
      throw clusterError('WRONG_IDENTITY', `the certificate is for "${issued.principal}", not for "${expected}"`, {
        // The trust domain is as it was published.
        suggestions: ['ask whoever may: regctl up --developer-ingress'],
      })
    this.#issued = issued
    // This machine's clock may be wrong; how much time passes it knows.
    this.#expires = started + Math.min(seconds * 1_000, issued.notAfter - issued.notBefore)
  }

  async #sleepUntil(time: number): Promise<void> {
    const { clock } = this.#ports
    for (let now = clock.now(), left = time - now; left > 0; ) {
      await clock.sleep(Math.min(left, LOOK_EVERY), this.#end.signal)
      const passed = clock.now() - now
      // The mesh has other roots: the registry will not take this certificate for long, nor be taken for itself.
      if (this.#issued?.roots !== this.#options.access.current.roots) return
      // A clock that was set back would have it renewed that much too late.
      if (passed < 0 && slept(passed, LOOK_EVERY)) return
      now += passed
      left = time - now
    }
  }
}
