import { DEFAULTS } from '../../domain/settings.ts'
import { guessAdditions, undoSkaffold } from '../../domain/skaffold/edit.ts'
import type { SkaffoldPorts } from '../../ports.ts'
import { type Change, changesFile } from './change.ts'
import type { SkaffoldInput } from './init.ts'
import { readProject } from './project.ts'
import { readRecord } from './records.ts'
import { globalUndo, readGlobal } from './settings.ts'

export type UndoPlan = {
  readonly goal?: undefined
  readonly changes: readonly Change[]
  readonly remarks: readonly string[]
}

/** What takes back all that skaffold-init added to the project and to this context's settings; needs no cluster. */
export async function planUndo(
  { files, kube }: Pick<SkaffoldPorts, 'files' | 'kube'>,
  input: SkaffoldInput,
): Promise<UndoPlan> {
  const project = await readProject(files, input.file)
  const changes: Change[] = []
  const remarks = [...project.remarks]
  for (const file of project.files) {
    const recorded = (await readRecord(files, file.path)).additions
    const guessed = recorded.length > 0 ? [] : guessAdditions(file, input.profile, `localhost:${DEFAULTS.port}`)
    const after = undoSkaffold(file, recorded.length > 0 ? recorded : guessed)
    const change = {
      name: file.name,
      path: file.path,
      before: file.text,
      after,
      record: { additions: [], created: false },
    }
    if (guessed.length > 0)
      remarks.push(
        `${file.name}: nothing is recorded here of what regctl added; this takes out profile "${input.profile}" and its registry`,
      )
    if (changesFile(change)) changes.push(change)
  }
  const settings = await globalUndo(files, await readGlobal(files, input.config), kube.target.context)
  return { changes: changesFile(settings) ? [...changes, settings] : changes, remarks }
}
