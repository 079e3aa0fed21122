import { isRecord } from './addition.ts'
import { buildOf, profileNamed, type SkaffoldConfig } from './config.ts'

type Fields = Readonly<Record<string, unknown>>
type Mutable = Record<string, unknown>

const BUILDERS = ['local', 'cluster', 'googleCloudBuild']

/**
 * The `build` section as Skaffold has it with the profile on: a builder or a list in the profile replaces the
 * one below, then its patches apply (pkg/skaffold/schema/profiles.go of 2.16.1).
 * @returns undefined where a patch does not apply; Skaffold stops there with "invalid path"
 */
export function effectiveBuild(config: SkaffoldConfig, profileName: string): Fields | undefined {
  const base = buildOf(config.value)
  const profile = profileNamed(config, profileName)
  if (profile === undefined) return base
  const overlay = buildOf(profile)
  const build: Mutable = structuredClone({ ...base })
  if (BUILDERS.some((builder) => isRecord(overlay[builder]))) for (const builder of BUILDERS) delete build[builder]
  for (const [key, value] of Object.entries(overlay)) {
    if (value === null || (Array.isArray(value) && value.length === 0)) continue
    build[key] = structuredClone(value)
  }
  const root: Mutable = { build }
  const patches = Array.isArray(profile.patches) ? profile.patches.filter(isRecord) : []
  return patches.every((patch) => apply(root, patch)) ? (root.build as Fields) : undefined
}

function apply(root: Mutable, { op = 'replace', path, from, value }: Fields): boolean {
  const target = place(root, String(path))
  if (target === undefined) return false
  if (op === 'add') return put(target, structuredClone(value), true)
  const known = read(target) !== undefined
  if (op === 'remove') return known && drop(target)
  if (op === 'replace') return known && put(target, structuredClone(value), false)
  const source = place(root, String(from))
  const moved = source === undefined ? undefined : read(source)
  if (source === undefined || moved === undefined) return op === 'test'
  if (op === 'move' && !drop(source)) return false
  return op === 'move' || op === 'copy' ? put(target, moved, false) : true
}

type Place = { readonly holder: Mutable | unknown[]; readonly key: string }

function place(root: Mutable, pointer: string): Place | undefined {
  const keys = pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = keys.pop()
  if (last === undefined) return undefined
  let holder: unknown = root
  for (const key of keys)
    holder = Array.isArray(holder) ? holder[Number(key)] : isRecord(holder) ? holder[key] : undefined
  return Array.isArray(holder) || isRecord(holder) ? { holder: holder as Mutable, key: last } : undefined
}

const read = ({ holder, key }: Place): unknown => (Array.isArray(holder) ? holder[Number(key)] : holder[key])

function put({ holder, key }: Place, value: unknown, between: boolean): boolean {
  if (!Array.isArray(holder)) holder[key] = value
  else if (key === '-') holder.push(value)
  else holder.splice(Number(key), between ? 0 : 1, value)
  return true
}

function drop({ holder, key }: Place): boolean {
  if (Array.isArray(holder)) holder.splice(Number(key), 1)
  else delete holder[key]
  return true
}
