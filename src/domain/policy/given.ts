import type { ExternalGrant } from '../external/grant.ts'
import type { Exposure } from './exposure.ts'
import type { Grant } from './grant.ts'

/** Everything that gives somebody a repository. */
export type Given = {
  readonly grants: readonly Grant[]
  readonly exposures: readonly Exposure[]
  readonly external: readonly ExternalGrant[]
}
