import { execute, settings } from '@oclif/core'

/** Runs the CLI of the package at `root`; `development` runs its sources, with the types stripped by Node. */
export async function main(root: string, development?: { readonly pjson: object }): Promise<void> {
  // Reading a tsconfig and loading a transpiler is for CLIs in development; TypeScript 7 breaks it besides.
  settings.enableAutoTranspile = false
  // Before oclif's own listener, which ignores a closed pipe and then waits for ever for it to drain.
  process.stdout.prependListener('error', outputFailed)
  await execute({
    loadOptions: development === undefined ? { root } : ({ root, ignoreManifest: true, ...development } as never),
  })
}

/** Whoever reads may have enough, as `head` has; a full disk is another matter. */
function outputFailed(error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') process.exit()
  process.stderr.write(`Error: cannot write the output: ${error.message}\n`)
  process.exit(1)
}
