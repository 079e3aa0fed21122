import { parseAllDocuments } from 'yaml'

/** What kubectl would read in this file. */
export const documentsIn = (text: string): readonly unknown[] =>
  parseAllDocuments(text)
    .map((one) => one.toJS() as unknown)
    .filter((one) => one !== null)
