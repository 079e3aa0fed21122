import { isRecord } from './addition.ts'
import type { Artifact } from './config.ts'
import type { ClusterBuild, Patch } from './profile.ts'

/** An artifact that `regctl build` builds, where Skaffold's own Kaniko pods cannot. */
export function ownPatches({ index, type, fields }: Artifact, cluster: ClusterBuild): readonly Patch[] {
  if (type === 'custom') return []
  const at = `/build/artifacts/${index}`
  const dockerfile = text(fields.dockerfile) ?? 'Dockerfile'
  const value = {
    buildCommand: commandOf({ type, fields }, cluster),
    dependencies: { dockerfile: { path: dockerfile } },
  }
  return [
    ...(type === 'unset' ? [] : [{ op: 'remove', path: `${at}/${type}` } as const]),
    { op: 'add', path: `${at}/custom`, value },
  ]
}

function commandOf(
  { type, fields }: Pick<Artifact, 'type' | 'fields'>,
  { namespace, serviceAccount }: ClusterBuild,
): string {
  const [file, target] = [text(fields.dockerfile), text(fields.target)]
  const image = type === 'kaniko' ? text(fields.image) : undefined
  const args = isRecord(fields.buildArgs) ? Object.entries(fields.buildArgs) : []
  return [
    ...['regctl', 'build', '--build-namespace', namespace],
    ...(serviceAccount === undefined ? [] : ['--service-account', serviceAccount]),
    ...(file === undefined ? [] : ['--file', file]),
    ...(target === undefined ? [] : ['--target', target]),
    ...(image === undefined ? [] : ['--builder-image', image]),
    ...args.flatMap(([name, value]) => ['--build-arg', value === null ? name : `${name}=${String(value)}`]),
  ]
    .map(quoted)
    .join(' ')
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** Skaffold hands the command to a shell; what any shell takes as it is stays so. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
