import { usageError } from '../../errors.ts'

/** Which paths of a context stay behind, by the rules of https://docs.docker.com/build/concepts/context/#dockerignore-files */
export type Ignore = {
  readonly ignores: (path: string) => boolean
  /** May something below an ignored directory be taken in again? */
  readonly exceptions: boolean
}

type Rule = { readonly matches: RegExp; readonly exception: boolean }

/** @throws usage error INVALID_IGNORE with the line that is wrong */
export function parseIgnore(text: string, name: string): Ignore {
  const rules = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .flatMap((line, index) => ruleOf(line, `${name}, line ${index + 1}`))
  return {
    exceptions: rules.some(({ exception }) => exception),
    ignores(path) {
      const above = [path, ...parents(path)]
      let ignored = false
      for (const { matches, exception } of rules)
        if (ignored === exception && above.some((one) => matches.test(one))) ignored = !exception
      return ignored
    },
  }
}

function ruleOf(line: string, where: string): readonly Rule[] {
  if (line.startsWith('#')) return []
  const trimmed = line.trim()
  const exception = trimmed.startsWith('!')
  const pattern = clean(exception ? trimmed.slice(1).trim() : trimmed)
  if (pattern === '') {
    if (exception) throw usageError('INVALID_IGNORE', `${where}: "!" without a pattern`)
    return []
  }
  try {
    return [{ matches: new RegExp(`^${expression(pattern)}$`, 's'), exception }]
  } catch (cause) {
    throw usageError('INVALID_IGNORE', `${where}: "${trimmed}" is not a pattern`, { cause })
  }
}

/** As Go's filepath.Clean of it, without a leading slash. */
function clean(pattern: string): string {
  const parts: string[] = []
  for (const part of pattern.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else parts.push(part)
  }
  return parts.join('/')
}

/** As github.com/moby/patternmatcher makes it. */
function expression(pattern: string): string {
  let text = ''
  for (let at = 0; at < pattern.length; at += 1) {
    const letter = pattern[at] ?? ''
    if (letter === '*' && pattern[at + 1] === '*') {
      at += 1
      if (pattern[at + 1] === '/') at += 1
      text += at + 1 >= pattern.length ? '.*' : '(.*/)?'
    } else if (letter === '*') text += '[^/]*'
    else if (letter === '?') text += '[^/]'
    else if (letter === '\\') {
      at += 1
      text += `\\${pattern[at] ?? '\\'}`
    } else text += /[.+(){}|$^]/.test(letter) && !inClass(text) ? `\\${letter}` : letter
  }
  return text
}

const inClass = (text: string): boolean => text.lastIndexOf('[') > text.lastIndexOf(']')

/** A pattern that matches a directory matches all below it. */
function parents(path: string): readonly string[] {
  const parts = path.split('/')
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))
}
