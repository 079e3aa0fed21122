export type ForwardState = 'starting' | 'ready' | 'waiting' | 'stopped'

export type Traffic = {
  readonly connections: {
    readonly open: number
    readonly total: number
    /** By their Host or Origin. */
    readonly refused: number
    /** The registry could not be reached for them. */
    readonly failed: number
  }
  /** Bytes towards the registry and from it. */
  readonly bytes: { readonly up: number; readonly down: number }
}

export const NO_TRAFFIC: Traffic = {
  connections: { open: 0, total: 0, refused: 0, failed: 0 },
  bytes: { up: 0, down: 0 },
}

/** Where a forward leads: what has to be equal for one forward to do for another. */
export type ForwardTarget = {
  readonly context: string
  readonly server: string
  readonly namespace: string
  readonly mode: string
  /** `NAMESPACE/SERVICEACCOUNT`: who the registry takes its requests for, in the modes that have one. */
  readonly identity?: string
}

/** What a start in the background is told of what was found for it. */
export type Found = Pick<ForwardTarget, 'context' | 'mode' | 'identity'> & { readonly port: number }

/** A forward as `--json`, `--status` and its own port tell it. */
export type ForwardReport = ForwardTarget &
  Traffic & {
    readonly state: ForwardState
    /** What carries the bytes, or what it waits for. */
    readonly detail: string
    readonly port: number
    readonly addresses: readonly string[]
    readonly reconnects: number
    readonly pid: number
    readonly startedAt: string
    /** Differs between any two forwards, so that one knows itself. */
    readonly instance: string
    readonly version: string
    /** Of a detached one. */
    readonly log?: string
    /** Why the Docker daemon cannot use it, where it cannot. */
    readonly docker?: string
  }

/** Path on the forward's own port that answers with its report; the registry's are all below /v2/. */
export const REPORT_PATH = '/.regctl/forward'

export const sameTarget = (one: ForwardTarget, other: ForwardTarget): boolean =>
  one.server === other.server &&
  one.namespace === other.namespace &&
  one.mode === other.mode &&
  one.identity === other.identity

/** As sure as shapes go: something on that port that answers like a forward. */
export function isReport(value: unknown): value is ForwardReport {
  const report = value as Partial<ForwardReport> | null
  return (
    typeof report === 'object' &&
    report !== null &&
    typeof report.instance === 'string' &&
    typeof report.pid === 'number' &&
    typeof report.server === 'string' &&
    typeof report.state === 'string'
  )
}
