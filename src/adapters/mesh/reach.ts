import { clusterError, type RegctlError } from '../../errors.ts'

export const DIAL_LIMIT = 5_000
/** A connection whose other end vanished, as after a sleep, is found out by this. */
export const KEEP_ALIVE = 30_000

export function unreachable(address: string, cause: unknown): RegctlError {
  const { code } = cause as NodeJS.ErrnoException
  const why = code === undefined || code === 'ABORT_ERR' ? 'no answer' : code
  return clusterError('GATEWAY_UNREACHABLE', `cannot reach ${address}: ${why}`, { cause })
}
