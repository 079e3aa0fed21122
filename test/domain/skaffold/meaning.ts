import { parseAllDocuments } from 'yaml'
import type { Addition } from '../../../src/domain/skaffold/addition.ts'

type Fields = Record<string, unknown>

/** What a YAML file says, whatever it looks like. */
export const meaningOf = (text: string): unknown[] =>
  parseAllDocuments(text, { merge: true }).map((document) => JSON.parse(JSON.stringify(document.toJS())))

/** The same with the additions made on the values: what an edit must come to, found without looking at any text. */
export function withAdditions(documents: readonly unknown[], additions: readonly Addition[]): unknown[] {
  const result = structuredClone(documents) as (Fields | null)[]
  for (const { document, at, key, value } of additions) {
    result[document] = below(result[document] ?? {}, at, (there) =>
      key === undefined ? [...((there ?? []) as unknown[]), value] : { ...(there as Fields | undefined), [key]: value },
    ) as Fields
  }
  return result
}

/** Not in place: what an alias shares must not change. */
function below(value: unknown, [name, ...rest]: readonly string[], change: (value: unknown) => unknown): unknown {
  if (name === undefined) return change(value)
  const fields = (value ?? {}) as Fields
  return { ...fields, [name]: below(fields[name], rest, change) }
}
