/** What the user is told when something is wrong, and the exit code that goes with it. */
export type ErrorKind = 'usage' | 'precondition' | 'conflict' | 'cluster' | 'check'

const EXIT: Record<ErrorKind, number> = { usage: 2, precondition: 3, conflict: 4, cluster: 5, check: 6 }

/**
 * An expected failure. `message` is a lowercase clause that names what happened on which object;
 * `suggestions` are commands the user can paste. oclif reads `oclif.exit`, `code` and `suggestions` by shape,
 * so nothing is imported here; all fields are own and enumerable because `--json` prints them.
 */
export class RegctlError extends Error {
  readonly code: string
  readonly oclif: { readonly exit: number }
  readonly suggestions: readonly string[]
  /** Facts a script may want beside the message, such as the conflicting objects. */
  readonly details?: Readonly<Record<string, unknown>>

  constructor(
    kind: ErrorKind,
    code: string,
    message: string,
    options: {
      readonly suggestions?: readonly string[]
      readonly details?: Readonly<Record<string, unknown>>
      readonly cause?: unknown
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'RegctlError'
    this.code = code
    this.oclif = { exit: EXIT[kind] }
    this.suggestions = options.suggestions ?? []
    if (options.details !== undefined) this.details = options.details
  }
}

type Extra = {
  readonly suggestions?: readonly string[]
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** Exit 2: a flag, an argument or a name is wrong; nothing was applied. */
export const usageError = (code: string, message: string, extra?: Extra): RegctlError =>
  new RegctlError('usage', code, message, extra)

/** Exit 3: something that must be there is not: a context, Istio, a right. */
export const preconditionError = (code: string, message: string, extra?: Extra): RegctlError =>
  new RegctlError('precondition', code, message, extra)

/** Exit 4: refused, because it would change what regctl does not own or lose what the user has. */
export const conflictError = (code: string, message: string, extra?: Extra): RegctlError =>
  new RegctlError('conflict', code, message, extra)

/** Exit 5: the cluster said no, or did not get there in time. */
export const clusterError = (code: string, message: string, extra?: Extra): RegctlError =>
  new RegctlError('cluster', code, message, extra)

/** Exit 6: a check (`status`, `doctor`) found something wrong. */
export const checkFailed = (code: string, message: string, extra?: Extra): RegctlError =>
  new RegctlError('check', code, message, extra)
