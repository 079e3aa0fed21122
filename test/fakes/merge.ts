import { isDeepStrictEqual } from 'node:util'

export type Fields = Readonly<Record<string, unknown>>

const isMap = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Server-side apply with lists as one value each: what the applier set before and leaves out now goes, what others
 * set stays. `conflicts` names the fields of others that get another value.
 */
export function merged(
  live: Fields | undefined,
  last: Fields | undefined,
  next: Fields,
  at = '',
): { readonly value: Fields; readonly conflicts: readonly string[] } {
  const value: Record<string, unknown> = { ...live }
  const conflicts: string[] = []
  for (const [key, old] of Object.entries(last ?? {})) if (!(key in next)) take(value, key, old)
  for (const [key, wanted] of Object.entries(next)) {
    const [now, own] = [value[key], last?.[key]]
    if (isMap(wanted)) {
      const inner = merged(isMap(now) ? now : undefined, isMap(own) ? own : undefined, wanted, `${at}.${key}`)
      value[key] = inner.value
      conflicts.push(...inner.conflicts)
    } else {
      if (now !== undefined && !isDeepStrictEqual(now, wanted) && !isDeepStrictEqual(now, own))
        conflicts.push(`${at}.${key}`)
      value[key] = wanted
    }
  }
  return { value, conflicts }
}

/** Takes out what was applied, and a map that is empty then. */
function take(value: Record<string, unknown>, key: string, old: unknown): void {
  const now = value[key]
  if (!isMap(old) || !isMap(now)) {
    delete value[key]
    return
  }
  const rest: Record<string, unknown> = { ...now }
  for (const [inner, was] of Object.entries(old)) take(rest, inner, was)
  if (Object.keys(rest).length === 0) delete value[key]
  else value[key] = rest
}

/** JSON merge patch, https://www.rfc-editor.org/rfc/rfc7386 */
export function patched(value: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch
  const result: Record<string, unknown> = isMap(value) ? { ...value } : {}
  for (const [key, part] of Object.entries(patch)) {
    if (part === null) delete result[key]
    else result[key] = patched(result[key], part)
  }
  return result
}
