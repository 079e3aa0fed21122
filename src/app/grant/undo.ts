import type { Installation } from '../../domain/installation.ts'
import type { Grant } from '../../domain/policy/grant.ts'
import { RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { revokeCommand, takeBack } from './revoke.ts'

/** What a step of a grant does when it fails: takes the grant back, unless it was `held` before, and says so. */
export function undoing(ports: Ports, at: Installation, wanted: Grant, held: boolean) {
  return async (error: unknown): Promise<never> => {
    if (held) throw error
    try {
      await takeBack(ports, at, wanted)
    } catch {
      ports.report.warn(`The grant could not be taken back and may be in force: ${revokeCommand(wanted)}`)
      throw error
    }
    throw error instanceof RegctlError ? takenBack(error) : error
  }
}

export function takenBack(error: RegctlError, what = 'the grant'): RegctlError {
  return new RegctlError('cluster', error.code, `${error.message}; ${what} was taken back`, {
    suggestions: error.suggestions,
    cause: error,
    ...(error.details === undefined ? {} : { details: error.details }),
  })
}
