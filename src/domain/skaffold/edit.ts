import { isDeepStrictEqual } from 'node:util'
import { conflictError, RegctlError } from '../../errors.ts'
import { type Addition, itemAddition } from './addition.ts'
import {
  artifactsOf,
  buildOf,
  buildsImages,
  parseSkaffold,
  profileNamed,
  profilesOf,
  type SkaffoldConfig,
  type SkaffoldFile,
} from './config.ts'
import { lostFields } from './kaniko.ts'
import { isOwnProfile, type Profile, type ProfileOptions, profileFor } from './profile.ts'
import { removeAll } from './remove.ts'
import { addReversibly } from './reversible.ts'
import { knowsInsecureRegistries } from './versions.ts'

/** What a file becomes, with all that regctl has added to it by then. */
export type Edit = { readonly text: string; readonly additions: readonly Addition[] }

export type SkaffoldEdit = Edit & {
  readonly remarks: readonly string[]
  /** Documents that have the profile. */
  readonly profiled: number
}

type Wanted = { readonly config: SkaffoldConfig; readonly registry: boolean; readonly profile?: Profile }

/**
 * The file with what it lacks. `recorded` is what an earlier run added: it is taken out first, so that the file
 * holds what this run wants and nothing else of regctl's.
 * @throws conflict error PROFILE_EXISTS, CHANGED_SINCE or NOT_EDITABLE
 */
export function editSkaffold(file: SkaffoldFile, recorded: readonly Addition[], options: ProfileOptions): SkaffoldEdit {
  const wanted = wantedOf(file, options)
  const profiled = wanted.filter(({ profile }) => profile !== undefined).length
  const remarks = remarksOn(file, options)
  if (wanted.every((one) => isSatisfied(one, options)))
    return { text: file.text, additions: recorded, remarks, profiled }
  const before = parseSkaffold(file.name, removeAll(file, recorded))
  const base = parseSkaffold(file.name, removeAll(before, earlierProfiles(before, options)))
  const additions = wantedOf(base, options).flatMap(({ config, registry, profile }) => [
    ...(registry ? registryAddition(base, config, options.registry, remarks) : []),
    ...(profile === undefined ? [] : [itemAddition(base, config.document, ['profiles'], profile)]),
  ])
  return { text: addReversibly(base, additions), additions, remarks, profiled }
}

function wantedOf(file: SkaffoldFile, options: ProfileOptions): readonly Wanted[] {
  return file.configs.map((config) => {
    const { profile } = profileFor(config, options)
    const registry = buildsImages(config) && knowsInsecureRegistries(config.apiVersion)
    return { config, registry: registry && !hasRegistry(config, options.registry), ...(profile && { profile }) }
  })
}

function isSatisfied({ config, registry, profile }: Wanted, { name }: ProfileOptions): boolean {
  const present = profileNamed(config, name)
  if (registry) return false
  return profile === undefined ? present === undefined || !isOwnProfile(present) : isDeepStrictEqual(present, profile)
}

const registriesOf = (build: Readonly<Record<string, unknown>>): readonly unknown[] =>
  Array.isArray(build.insecureRegistries) ? build.insecureRegistries : []

const hasRegistry = (config: SkaffoldConfig, registry: string): boolean =>
  registriesOf(buildOf(config.value)).includes(registry)

/** Only Jib needs the entry: the others take `localhost` as plain HTTP anyhow. So where it does not fit, a remark is enough. */
function registryAddition(
  file: SkaffoldFile,
  config: SkaffoldConfig,
  registry: string,
  remarks: string[],
): readonly Addition[] {
  try {
    return [itemAddition(file, config.document, ['build', 'insecureRegistries'], registry)]
  } catch (error) {
    if (!(error instanceof RegctlError) || error.code !== 'NOT_EDITABLE') throw error
    remarks.push(`${error.message}; add "${registry}" to insecureRegistries by hand where Jib builds`)
    return []
  }
}

/** The profile of an earlier run, perhaps of another person's, that is no longer the one wanted. */
function earlierProfiles(file: SkaffoldFile, { name }: ProfileOptions): readonly Addition[] {
  return file.configs.flatMap((config) => {
    const value = profileNamed(config, name)
    if (value === undefined) return []
    if (!isOwnProfile(value))
      throw conflictError('PROFILE_EXISTS', `${describe(file, config)} has a profile "${name}" that is not regctl's`, {
        suggestions: ['regctl skaffold-init --profile ANOTHER-NAME'],
      })
    return [{ document: config.document, at: ['profiles'], value }]
  })
}

function remarksOn(file: SkaffoldFile, options: ProfileOptions): string[] {
  return file.configs.flatMap((config) => {
    const { why, profile } = profileFor(config, options)
    if (why !== undefined) return [`${describe(file, config)}: ${why}`]
    if (profile === undefined || options.cluster === undefined) return []
    return artifactsOf(buildOf(config.value))
      .filter(({ type, fields }) => type === 'docker' && lostFields(fields).length > 0)
      .map(({ image, fields }) => `"${image}": Kaniko knows no ${lostFields(fields).join(', ')}; a build goes without`)
  })
}

const describe = (file: SkaffoldFile, { name }: SkaffoldConfig): string =>
  name === undefined ? file.name : `${file.name} (${name})`

/**
 * What regctl would have added, for a file that somebody else's regctl edited, so that nothing is recorded here.
 * A `localhost:5000` of the user's own cannot be told apart then.
 */
export function guessAdditions(file: SkaffoldFile, profile: string, registry: string): readonly Addition[] {
  return file.configs.flatMap((config): Addition[] => {
    const { document } = config
    const value = profileNamed(config, profile)
    if (value === undefined || !isOwnProfile(value)) return []
    const others = registriesOf(buildOf(config.value)).filter((one) => one !== registry)
    const entry: readonly Addition[] = !hasRegistry(config, registry)
      ? []
      : others.length > 0
        ? [{ document, at: ['build', 'insecureRegistries'], value: registry }]
        : [{ document, at: ['build'], key: 'insecureRegistries', value: [registry] }]
    const alone = profilesOf(config).length === 1
    return [
      ...entry,
      alone ? { document, at: [], key: 'profiles', value: [value] } : { document, at: ['profiles'], value },
    ]
  })
}

/** The file as it was before regctl. */
export const undoSkaffold = (file: SkaffoldFile, recorded: readonly Addition[]): string => removeAll(file, recorded)
