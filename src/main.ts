import { execute, settings } from '@oclif/core'

/** Runs the CLI of the package at `root`; `development` runs its sources, with the types stripped by Node. */
export async function main(root: string, development?: { readonly pjson: object }): Promise<void> {
  // Reading a tsconfig and loading a transpiler is for CLIs in development; TypeScript 7 breaks it besides.
  settings.enableAutoTranspile = false
  await execute({
    loadOptions: development === undefined ? { root } : ({ root, ignoreManifest: true, ...development } as never),
  })
}
