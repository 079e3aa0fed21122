import { createHash } from 'node:crypto'
import type { Addition } from '../../domain/skaffold/addition.ts'
import type { FileEdit, Files } from '../../ports.ts'

/** What regctl has added to a file, kept on this machine because the file itself is not to carry marks. */
export type EditRecord = {
  readonly additions: readonly Addition[]
  /** The file is regctl's altogether. */
  readonly created: boolean
}

const NONE: EditRecord = { additions: [], created: false }
const VERSION = 1

const placeOf = (files: Files, path: string): string =>
  files.resolve(files.state, 'edits', `${createHash('sha256').update(path).digest('hex').slice(0, 32)}.json`)

export async function readRecord(files: Files, path: string): Promise<EditRecord> {
  const text = await files.read(placeOf(files, path))
  if (text === undefined) return NONE
  try {
    const { version, additions, created } = JSON.parse(text) as Partial<EditRecord> & { version?: number }
    return version === VERSION && Array.isArray(additions) ? { additions, created: created === true } : NONE
  } catch {
    return NONE
  }
}

/** Written together with the file it is about. */
export async function recordEdit(files: Files, path: string, record: EditRecord): Promise<FileEdit> {
  const place = placeOf(files, path)
  const text = `${JSON.stringify({ version: VERSION, file: path, ...record }, undefined, 2)}\n`
  return { path: place, before: await files.read(place), text }
}

export const forget = (files: Files, path: string): Promise<void> => files.remove(placeOf(files, path))
