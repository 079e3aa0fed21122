import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { loadCommands, snapshot } from './commands.ts'
import { notices } from './notices.ts'
import { referencePages } from './reference.ts'

export const root = join(import.meta.dirname, '../..')

/** Every generated file of the repository, by its path. */
export async function contracts(): Promise<ReadonlyMap<string, string>> {
  const commands = await loadCommands()
  const files = new Map([['test/contracts/command-snapshot.json', snapshot(commands)]])
  for (const [name, text] of referencePages(commands)) files.set(`docs/reference/${name}`, text)
  files.set('THIRD_PARTY_NOTICES.md', await notices())
  return files
}

if (import.meta.main) {
  const files = await contracts()
  rmSync(join(root, 'docs/reference'), { recursive: true, force: true })
  for (const [path, text] of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  process.stderr.write(`wrote ${files.size} files\n`)
}
