import { clusterError, conflictError, preconditionError, type RegctlError } from '../../errors.ts'

export type Target = { readonly context: string; readonly server: string }

type Cause = { readonly reason?: string; readonly message?: string; readonly field?: string }
type Status = {
  readonly message?: string
  readonly reason?: string
  readonly details?: { readonly causes?: readonly Cause[] }
}

/** An HTTP status that is no answer, in the words of the Status object the API server sends with it. */
export function statusError(code: number, body: string, about: string, target: Target): RegctlError {
  const status = parseStatus(body)
  const said = status.message ?? (body.trim().slice(0, 300) || `HTTP status ${code}`)
  const causes = status.details?.causes ?? []
  const details = { status: code, ...(status.reason === undefined ? {} : { reason: status.reason }), request: about }
  if (code === 401) {
    return preconditionError(
      'UNAUTHORIZED',
      `the API server does not accept the credentials of context "${target.context}"`,
      {
        suggestions: [`kubectl --context ${target.context} auth whoami`],
        details,
      },
    )
  }
  if (causes.some(({ reason }) => reason === 'NamespaceTerminating')) {
    return clusterError('NAMESPACE_TERMINATING', `cannot ${about}: its namespace is being deleted`, {
      suggestions: ['wait until the namespace is gone, then run the command again'],
      details,
    })
  }
  if (code === 403) {
    // RBAC says "cannot VERB resource"; everything else with 403 comes from an admission plug-in.
    if (!said.includes(' cannot ')) return clusterError('NOT_ADMITTED', `cannot ${about}: ${said}`, { details })
    return preconditionError('FORBIDDEN', `not allowed to ${about}: ${said}`, {
      suggestions: [`kubectl --context ${target.context} auth can-i --list`],
      details,
    })
  }
  if (code === 409) return conflict(said, causes, about, details)
  const name = { 404: 'NOT_FOUND', 422: 'INVALID' }[code] ?? 'CLUSTER_REFUSED'
  return clusterError(name, `cannot ${about}: ${said}`, { details })
}

function conflict(
  said: string,
  causes: readonly Cause[],
  about: string,
  details: Record<string, unknown>,
): RegctlError {
  const fields = causes.filter(({ reason }) => reason === 'FieldManagerConflict')
  if (fields.length === 0) {
    return conflictError('CONFLICT_CHANGED', `cannot ${about}: it was changed meanwhile: ${said}`, {
      suggestions: ['run the command again'],
      details,
    })
  }
  const conflicts = fields.map(({ field, message }) => ({
    field: field ?? '',
    // The API says: conflict with "MANAGER" using apps/v1
    manager: /conflict with "((?:[^"\\]|\\.)*)"/.exec(message ?? '')?.[1] ?? message ?? '',
  }))
  const managers = [...new Set(conflicts.map(({ manager }) => `"${manager}"`))].join(', ')
  const names = conflicts.map(({ field }) => field).join(', ')
  return conflictError('FIELD_CONFLICT', `cannot ${about}: ${managers} manages ${names}`, {
    details: { ...details, conflicts },
  })
}

function parseStatus(body: string): Status {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** No HTTP answer at all. */
export function connectionError(cause: unknown, about: string, target: Target): RegctlError {
  const why = rootMessage(cause)
  const lost = isLost(cause)
  const text = lost
    ? `lost the connection to ${target.server} (context "${target.context}") while trying to ${about}: ${why}`
    : `cannot reach the API server ${target.server} of context "${target.context}": ${why}`
  return preconditionError(lost ? 'CONNECTION_LOST' : 'UNREACHABLE', text, {
    suggestions: [`kubectl --context ${target.context} cluster-info`, 'kubectl config get-contexts'],
    cause,
  })
}

export function credentialsError(cause: unknown, target: Target): RegctlError {
  const text = `no credentials for context "${target.context}" (${target.server}): ${rootMessage(cause)}`
  return preconditionError('CREDENTIALS', text, {
    suggestions: [`kubectl --context ${target.context} auth whoami`],
    cause,
  })
}

/** A connection that broke; the next one may well hold. Refused or unknown addresses are not that. */
const LOST = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

export function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && isLost(error)
}

/** GOAWAY ends an HTTP/2 connection with other requests on it: the server goes, or refused the credentials of one of them. */
function isLost(error: unknown): boolean {
  return LOST.has(rootCode(error)) || (rootCode(error) === 'UND_ERR_INFO' && rootMessage(error).includes('GOAWAY'))
}

function rootCode(error: unknown): string {
  return String((rootCause(error) as { code?: unknown }).code ?? '')
}

function rootMessage(error: unknown): string {
  const { message, code } = rootCause(error) as { message?: string; code?: string }
  return message || code || String(error)
}

/** undici wraps what happened in a TypeError "fetch failed", and several addresses in an AggregateError. */
function rootCause(error: unknown): object {
  if (typeof error !== 'object' || error === null) return { message: String(error) }
  const { cause } = error as { cause?: unknown }
  if (cause !== undefined && cause !== null) return rootCause(cause)
  if (error instanceof AggregateError && error.errors.length > 0) return rootCause(error.errors[0])
  return error
}
