import { usageError } from '../errors.ts'

const UNIT = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** `90s`, `5m`, `1h` or a bare number of seconds, in milliseconds. */
export function milliseconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text)
  if (match === null) throw usageError('INVALID_DURATION', `duration "${text}" is not one such as 90s or 5m`)
  return Number(match[1]) * UNIT[(match[2] ?? 's') as keyof typeof UNIT]
}
