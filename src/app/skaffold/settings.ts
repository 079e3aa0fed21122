import { imagesOf } from '../../domain/skaffold/config.ts'
import { type ContextSettings, editGlobal, settingsFor, undoGlobal } from '../../domain/skaffold/global-config.ts'
import { hasPort, isK3d, isKind, onlyLooksLike } from '../../domain/skaffold/images.ts'
import { parseYaml, type YamlText } from '../../domain/skaffold/yaml-text.ts'
import type { Files } from '../../ports.ts'
import type { Change } from './change.ts'
import type { Project } from './project.ts'
import { readRecord } from './records.ts'

/** Skaffold's own configuration, for every project of the user's. */
export type GlobalFile = YamlText & { readonly path: string; readonly before: string | undefined }

export async function readGlobal(files: Files, given: string | undefined): Promise<GlobalFile> {
  const path = given === undefined ? files.resolve(files.home, '.skaffold', 'config') : files.resolve(given)
  const before = await files.read(path)
  const name = path.startsWith(`${files.home}/`) ? `~${path.slice(files.home.length)}` : path
  return { ...parseYaml(name, before ?? ''), path, before }
}

export const contentOf = (file: YamlText): unknown => file.documents[0]?.value

/** The repository this context is set up for already. */
export function earlierRepository(file: GlobalFile, context: string): string | undefined {
  const current = settingsFor(contentOf(file), context)['default-repo']
  return typeof current === 'string' ? /^localhost:\d+\/(.+)$/.exec(current)?.[1] : undefined
}

/** What this context needs. Nobody's choice about levels is changed, and none is made that breaks an artifact. */
export function wantedSettings(
  file: GlobalFile,
  context: string,
  project: Project,
  defaultRepo: string,
): ContextSettings {
  const current = settingsFor(contentOf(file), context)
  const images = project.files.flatMap(({ configs }) => configs.flatMap(imagesOf))
  const breaks = images.some((image) => hasPort(image) && !image.startsWith(`${defaultRepo}/`))
  return {
    'default-repo': defaultRepo,
    ...(breaks || current['multi-level-repo'] !== undefined ? {} : { 'multi-level-repo': true }),
    ...(isKind(context) ? { 'kind-disable-load': true } : {}),
    ...(isK3d(context) ? { 'k3d-disable-load': true } : {}),
  }
}

export async function globalChange(
  files: Files,
  file: GlobalFile,
  context: string,
  wanted: ContextSettings,
): Promise<{ readonly change: Change; readonly remarks: readonly string[] }> {
  const record = await readRecord(files, file.path)
  const { text, additions } = editGlobal(file, record.additions, context, wanted)
  const was = settingsFor(contentOf(file), context)['default-repo']
  const replaced = typeof was === 'string' && was !== wanted['default-repo']
  const created = record.created || file.before === undefined
  const change = { name: file.name, path: file.path, before: file.before, after: text, record: { additions, created } }
  const remark = `${file.name}: for context "${context}" default-repo was "${was}"; --undo brings it back`
  return { change, remarks: replaced ? [remark] : [] }
}

export async function globalUndo(files: Files, file: GlobalFile, context: string): Promise<Change> {
  const record = await readRecord(files, file.path)
  const { text, additions } = undoGlobal(file, record.additions, context)
  return { name: file.name, path: file.path, before: file.before, after: text, record: { ...record, additions } }
}

/** Artifacts that carry the registry in their name and so keep it, outside of the repository. */
export function elsewhere(project: Project, registry: string, defaultRepo: string): readonly string[] {
  const images = new Set(project.files.flatMap(({ configs }) => configs.flatMap(imagesOf)))
  return [...images]
    .filter((image) => image.startsWith(`${registry}/`))
    .filter((image) => !image.startsWith(`${defaultRepo}/`) || onlyLooksLike(image, defaultRepo))
    .map(
      (image) =>
        `artifact "${image}" names the registry itself and is not below ${defaultRepo}: regctl does not rename it`,
    )
}
