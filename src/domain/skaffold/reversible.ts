import type { Addition } from './addition.ts'
import { insertAll } from './insert.ts'
import { removeAll } from './remove.ts'
import { parseYaml, type YamlText } from './yaml-text.ts'

/** The file with the additions, made only when taking them out again gives back every byte. */
export function addReversibly(file: YamlText, additions: readonly Addition[]): string {
  const text = insertAll(file, additions)
  const back = removeAll(parseYaml(file.name, text), additions)
  if (back !== file.text) throw new Error(`the edit of ${file.name} could not be undone, so it was not made`)
  return text
}
