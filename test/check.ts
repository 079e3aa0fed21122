import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { type Count, nothing, runSuites, sum } from './suites.ts'

const root = join(import.meta.dirname, '..')

/** Format, lint, types, unit tests and contracts; `fix` writes what the formatter and the linter would change. */
export async function check(options: { readonly fix?: boolean } = {}): Promise<Count> {
  const biome = [
    'check',
    '--error-on-warnings',
    '--diagnostic-level=warn',
    ...(options.fix === true ? ['--write'] : []),
  ]
  const steps = [
    await step('format and lint', ['node_modules/@biomejs/biome/bin/biome', ...biome, '.']),
    await step('types', ['node_modules/typescript/bin/tsc']),
  ]
  return sum([...steps, await runSuites(['unit', 'contracts'])])
}

/** Nothing passed when it is right, since it is no test; one failure when it is not. */
async function step(title: string, [script = '', ...args]: readonly string[]): Promise<Count> {
  const started = Date.now()
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, script), ...args], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    child.on('error', reject)
    child.on('close', resolve)
  })
  process.stdout.write(`${code === 0 ? '✔' : '✖'} ${title} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`)
  return code === 0 ? nothing : { ...nothing, failed: 1 }
}

if (import.meta.main) {
  const { failed } = await check({ fix: process.argv.includes('--fix') })
  process.exitCode = failed === 0 ? 0 : 1
}
