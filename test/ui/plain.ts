import { stripVTControlCharacters } from 'node:util'

/** A text without its colours, which depend on where the tests run. */
export const plain = (text: string): string => stripVTControlCharacters(text)
