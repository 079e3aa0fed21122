import { type Addition, isRecord, itemAddition } from './addition.ts'
import type { Edit } from './edit.ts'
import { removeAll } from './remove.ts'
import { addReversibly } from './reversible.ts'
import { parseYaml, type YamlText } from './yaml-text.ts'

/** Skaffold's settings for one context of the kubeconfig, as its global configuration file holds them. */
export type ContextSettings = {
  readonly 'default-repo': string
  readonly 'multi-level-repo'?: boolean
  readonly 'kind-disable-load'?: true
  readonly 'k3d-disable-load'?: true
}

type Entry = Readonly<Record<string, unknown>>

const LIST = 'kubeContexts'

/** Matches this context and no other; Skaffold takes the text for an expression that may match anywhere. */
export const contextPattern = (context: string): string => `^${context.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`

/** The settings Skaffold would use for the context: of the entries that match the last one alone, above `global`. */
export function settingsFor(value: unknown, context: string): Entry {
  const global = isRecord(value) && isRecord(value.global) ? value.global : {}
  return { ...global, ...entryFor(value, context) }
}

function entryFor(value: unknown, context: string): Entry {
  const entries = isRecord(value) && Array.isArray(value[LIST]) ? value[LIST].filter(isRecord) : []
  return entries.findLast((entry) => matches(entry['kube-context'], context)) ?? {}
}

/** As Skaffold's RegexEqual, for the expressions Go and JavaScript read alike. */
function matches(pattern: unknown, context: string): boolean {
  if (typeof pattern !== 'string') return false
  if (pattern.startsWith('!')) return !matches(pattern.slice(1), context)
  if (pattern === context) return true
  try {
    return new RegExp(pattern).test(context)
  } catch {
    return false
  }
}

/**
 * The file with an entry of ours for the context as its last one, which carries on what the entry it replaces says.
 * Nobody's entry is changed, so taking ours out brings back what was.
 */
export function editGlobal(
  file: YamlText,
  recorded: readonly Addition[],
  context: string,
  wanted: ContextSettings,
): Edit {
  const current = settingsFor(file.documents[0]?.value, context)
  if (Object.entries(wanted).every(([key, value]) => current[key] === value))
    return { text: file.text, additions: recorded }
  const { ours, others } = split(recorded, context)
  const base = parseYaml(file.name, removeAll(file, ours))
  const replaced = entryFor(base.documents[0]?.value, context)
  const entry = { ...replaced, ...wanted, 'kube-context': contextPattern(context) }
  const { 'kube-context': name, ...settings } = entry
  const addition = itemAddition(base, 0, [LIST], { 'kube-context': name, ...settings })
  return { text: addReversibly(base, [addition]), additions: [...others, addition] }
}

/** The file without our entry for the context, and what stays recorded. */
export function undoGlobal(file: YamlText, recorded: readonly Addition[], context: string): Edit {
  const { ours, others } = split(recorded, context)
  return { text: removeAll(file, ours), additions: others }
}

function split(recorded: readonly Addition[], context: string) {
  const ours = recorded.filter((addition) => entriesOf(addition).some((entry) => isFor(entry, context)))
  const others = recorded.filter((addition) => !ours.includes(addition))
  // Whoever is left last takes the list along that the first one made.
  const [heir, ...rest] = others
  const made = ours.some(({ key }) => key === LIST) && heir !== undefined && heir.key === undefined
  return {
    ours,
    others: made ? [{ document: heir.document, at: [], key: LIST, value: entriesOf(heir) }, ...rest] : others,
  }
}

const entriesOf = ({ key, value }: Addition): readonly unknown[] =>
  key === undefined ? [value] : Array.isArray(value) ? value : []

const isFor = (entry: unknown, context: string): boolean =>
  isRecord(entry) && entry['kube-context'] === contextPattern(context)
