import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

/** `dist/` and the oclif manifest. */
export function build(): void {
  // A stale manifest hides new commands, and `oclif manifest` itself would believe it.
  rmSync(join(root, 'oclif.manifest.json'), { force: true })
  run('node_modules/rolldown/bin/cli.mjs', ['-c', 'rolldown.config.ts', '--log-level', 'warn'])
  run('node_modules/oclif/bin/run.js', ['manifest'])
}

function run(script: string, args: readonly string[]): void {
  execFileSync(process.execPath, [join(root, script), ...args], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
}

if (import.meta.main) build()
