import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Run, run } from '../cluster.ts'

const text = readFileSync(join(import.meta.dirname, '../../../docs/ports.md'), 'utf8')

const blocks = (language: string): readonly string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(([, block]) => block ?? '')

const scripts = blocks('sh')
const ran = new Set<string>()

/** Runs the commands of docs/ports.md that begin with these words, as they stand there. */
export async function asDocumented(
  start: string,
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const found = scripts.filter((block) => block.startsWith(start))
  const [script] = found
  if (script === undefined || found.length > 1)
    throw new Error(`${found.length} blocks of docs/ports.md begin with ${start}`)
  ran.add(script)
  const path = `${dirname(process.env.REGCTL_BIN ?? '')}:${process.env.PATH}`
  return run(['bash', '-euo', 'pipefail', '-c', script], { cwd, env: { PATH: path, ...env }, timeout: 120_000 })
}

/** Blocks that no test ran. */
export const neverRun = (): readonly string[] => scripts.filter((script) => !ran.has(script))

/** Writes the page's one file, with an address that is there. */
export async function documentedFile(path: string, address: string): Promise<void> {
  const [yaml, ...more] = blocks('yaml')
  if (yaml === undefined || more.length > 0) throw new Error('docs/ports.md has not one file')
  await writeFile(path, yaml.replace('192.0.2.10', address))
}
