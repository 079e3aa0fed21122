import { usageError } from '../../errors.ts'

export type NodeExpression = {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values?: readonly string[]
}

const KEY = String.raw`(?<key>[A-Za-z0-9][-A-Za-z0-9_.\/]*)`
const VALUE = '[-A-Za-z0-9_.]*'
const EQUALITY = new RegExp(`^${KEY}\\s*(?<not>!)?==?\\s*(?<values>${VALUE})$`)
const SETS = new RegExp(`^${KEY}\\s+(?<not>not)?in\\s*\\((?<values>[-A-Za-z0-9_.,\\s]+)\\)$`)
const PRESENCE = new RegExp(`^(?<not>!)?\\s*${KEY}$`)

/**
 * A label selector, as kubectl takes it, in the words of a pod's node affinity.
 * @throws usage error INVALID_SELECTOR
 */
export function nodeExpressions(selector: string): readonly NodeExpression[] {
  if (selector.trim() === '') return []
  // Commas in brackets are of one term.
  return selector.split(/,(?![^(]*\))/).map((term) => {
    const text = term.trim()
    const presence = PRESENCE.exec(text)?.groups
    if (presence !== undefined)
      return { key: presence.key ?? '', operator: presence.not === undefined ? 'Exists' : 'DoesNotExist' }
    const found = (EQUALITY.exec(text) ?? SETS.exec(text))?.groups
    if (found === undefined)
      throw usageError('INVALID_SELECTOR', `"${text}" is not a label selector such as node-role/ingress=true`)
    const values = (found.values ?? '').split(',').map((value) => value.trim())
    return { key: found.key ?? '', operator: found.not === undefined ? 'In' : 'NotIn', values }
  })
}
