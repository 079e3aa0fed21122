import type { Files } from '../../ports.ts'
import { type EditRecord, forget, recordEdit } from './records.ts'

/** A file as it is and as it is to be, with all that regctl has added to it by then. */
export type Change = {
  readonly name: string
  readonly path: string
  readonly before: string | undefined
  readonly after: string
  readonly record: EditRecord
}

export const changesFile = ({ before, after }: Change): boolean => after !== (before ?? '')

/** Writes every file and what is remembered of it, or nothing. */
export async function carryOut(files: Files, changes: readonly Change[]): Promise<void> {
  const changed = changes.filter(changesFile)
  const kept = changed.filter(({ after, record }) => after !== '' || !record.created)
  // Records first: one without its edit does no harm, an edit without its record could not be undone.
  const records = await Promise.all(
    changed
      .filter(({ record }) => record.additions.length > 0)
      .map(({ path, record }) => recordEdit(files, path, record)),
  )
  await files.write([...records, ...kept.map(({ path, before, after }) => ({ path, before, text: after }))])
  for (const change of changed) {
    if (!kept.includes(change)) await files.remove(change.path)
    if (change.record.additions.length === 0) await forget(files, change.path)
  }
}
