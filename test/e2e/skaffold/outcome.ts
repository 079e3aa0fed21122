type Fields = Readonly<Record<string, unknown>>

/** What `skaffold diagnose` printed, as values, or why it would not. */
export type Outcome = { readonly documents?: readonly unknown[]; readonly refusal?: string }

type Build = { readonly artifacts?: readonly Fields[]; readonly [field: string]: unknown }

/** Without the one entry regctl adds, and without the places in a file, which move. */
export function registriesOff(outcome: Outcome | undefined): unknown {
  if (outcome?.documents === undefined) return outcome?.refusal?.replaceAll(/line \d+/g, 'line')
  return outcome.documents.map((document) => {
    const { build, ...rest } = document as { build?: Build }
    const { insecureRegistries, ...fields } = build ?? {}
    const others = ((insecureRegistries ?? []) as unknown[]).filter((one) => one !== 'localhost:5000')
    return { ...rest, build: others.length === 0 ? fields : { ...fields, insecureRegistries: others } }
  })
}

const BUILDERS = ['local', 'cluster', 'googleCloudBuild']
/** What Kaniko takes over from Docker. */
const TAKEN = ['dockerfile', 'target', 'buildArgs']

/** What must be the same wherever images are built: all but the builder, and of an artifact what both builders know. */
export function withoutBuilder(outcome: Outcome | undefined): unknown {
  return (registriesOff(outcome) as { build: Build }[]).map(({ build, ...rest }) => ({
    ...rest,
    build: {
      ...Object.fromEntries(Object.entries(build).filter(([key]) => !BUILDERS.includes(key))),
      artifacts: build.artifacts?.map(({ docker, kaniko, ...artifact }) => ({
        ...artifact,
        made: Object.fromEntries(
          Object.entries({ ...(docker as Fields), ...(kaniko as Fields) }).filter(([key]) => TAKEN.includes(key)),
        ),
      })),
    },
  }))
}

const ELSEWHERE = ['docker', 'jib', 'bazel', 'buildpacks', 'ko']

/** Artifacts that would not be built in the namespace although the profile is on; those of a document it leaves alone excepted. */
export function notInCluster({ documents = [] }: Outcome, namespace: string): readonly unknown[] {
  return documents.flatMap((document) => {
    const { artifacts = [], cluster, local } = (document as { build?: Build }).build ?? {}
    // Where any artifact is Jib's or the like, the whole document stays as it is.
    if (
      cluster === undefined &&
      local !== undefined &&
      artifacts.some((one) => ELSEWHERE.slice(1).some((type) => type in one))
    )
      return []
    const wrong = artifacts.filter(
      (one) => ELSEWHERE.some((type) => type in one) || !('kaniko' in one || 'custom' in one),
    )
    return artifacts.length > 0 && (cluster as Fields | undefined)?.namespace !== namespace ? [document] : wrong
  })
}
