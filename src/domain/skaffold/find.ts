import { isRecord } from './addition.ts'
import type { SkaffoldConfig } from './config.ts'

/** A module that a configuration requires: a path as written, or a place that only Skaffold fetches from. */
export type Requirement = { readonly path: string } | { readonly remote: string }

export function requirementsOf({ value }: SkaffoldConfig): readonly Requirement[] {
  if (!Array.isArray(value.requires)) return []
  return value.requires.filter(isRecord).flatMap((requirement): Requirement[] => {
    const { path, git, googleCloudStorage, googleCloudBuildRepoV2 } = requirement
    if (isRecord(git)) return [{ remote: String(git.repo) }]
    if (isRecord(googleCloudStorage)) return [{ remote: String(googleCloudStorage.source) }]
    if (isRecord(googleCloudBuildRepoV2)) return [{ remote: String(googleCloudBuildRepoV2.repo) }]
    // Without a path other documents of the same file are meant.
    if (typeof path !== 'string' || path === '') return []
    return [/^https?:\/\//.test(path) ? { remote: path } : { path }]
  })
}
