import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inState } from './paths.ts'

/** What a kubelet sets for the whole machine, and leaves so. */
const names = [
  'kernel/keys/root_maxbytes',
  'kernel/keys/root_maxkeys',
  'kernel/panic',
  'kernel/panic_on_oops',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
]

const record = inState('sysctls.json')

/** Before the first kubelet starts. */
export async function saveSysctls(): Promise<void> {
  const values = await Promise.all(names.map(async (name) => [name, await readFile(join('/proc/sys', name), 'utf8')]))
  await writeFile(record, JSON.stringify(Object.fromEntries(values)))
}

export async function restoreSysctls(): Promise<void> {
  if (!existsSync(record)) return
  const values = JSON.parse(await readFile(record, 'utf8')) as Record<string, string>
  for (const [name, value] of Object.entries(values)) await writeFile(join('/proc/sys', name), value)
}
