import {
  Composer,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { conflictError, type RegctlError } from '../../errors.ts'

/** A YAML file as its bytes say it, with every document's nodes and their places in the text. */
export type YamlText = {
  /** How messages name it. */
  readonly name: string
  readonly text: string
  readonly documents: readonly YamlDocument[]
  readonly lines: LineCounter
}

export type YamlDocument = {
  readonly contents: Node | null
  readonly value: unknown
  /** Anchors that aliases use: what is added there is added in all those places. */
  readonly shared: ReadonlySet<string>
}

/** Empty documents are kept: their place in the list is what edits are recorded by. */
export function parseYaml(name: string, text: string): YamlText {
  const lines = new LineCounter()
  const composer = new Composer({ keepSourceTokens: true, merge: true, prettyErrors: false })
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  const parsed: Document.Parsed[] = [...composer.compose(tokens)]
  const documents = parsed.map((document) => {
    const error = document.errors[0]
    if (error !== undefined) throw brokenYaml({ name, lines }, error.pos[0], error.message)
    const shared = new Set<string>()
    visit(document, {
      Alias: (_, alias) => {
        shared.add(alias.source)
        if (alias.resolve(document) === undefined)
          throw brokenYaml(
            { name, lines },
            alias.range?.[0] ?? 0,
            `no anchor "${alias.source}" stands before this alias`,
          )
      },
    })
    try {
      return { contents: document.contents as Node | null, value: document.toJS() as unknown, shared }
    } catch (cause) {
      // Aliases that unfold into far more than the file holds.
      throw brokenYaml({ name, lines }, document.range[0], cause instanceof Error ? cause.message : String(cause))
    }
  })
  return { name, text, documents, lines }
}

function brokenYaml(file: Pick<YamlText, 'name' | 'lines'>, offset: number, why: string): RegctlError {
  const { line, col } = file.lines.linePos(offset)
  return conflictError('INVALID_YAML', `${file.name}:${line}:${col}: ${firstLine(why)}`, {
    suggestions: [`mend line ${line} of ${file.name}; nothing was changed`],
  })
}

const firstLine = (text: string): string => text.split('\n')[0] ?? ''

/** A place that no text can be added to without changing what is there. */
export function uneditable(file: YamlText, node: Node | null | undefined, what: string): RegctlError {
  const { line, col } = file.lines.linePos(node?.range?.[0] ?? 0)
  return conflictError('NOT_EDITABLE', `${file.name}:${line}:${col}: ${what}`, {
    suggestions: [`write it as a plain block in ${file.name}`],
  })
}

export function pairOf(map: YAMLMap, key: string): Pair<Node, Node | null> | undefined {
  return map.items.find((pair) => isScalar(pair.key) && pair.key.value === key) as Pair<Node, Node | null> | undefined
}

/** Nothing written: `key:` with at most a comment, an anchor or a tag behind it. */
export const isEmpty = (node: Node | null | undefined): boolean =>
  node === null || node === undefined || (isScalar(node) && node.value === null && (node.source ?? '') === '')

export { isAlias, isCollection, isMap, isPair, isScalar, isSeq, type Node, type Pair, type YAMLMap, type YAMLSeq }
