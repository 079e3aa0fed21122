import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { loadCommands } from './commands.ts'
import { contracts, root } from './generate.ts'
import { loadSchema } from './schema.ts'

let files: ReadonlyMap<string, string>
beforeAll(async () => {
  files = await contracts()
}, 60_000)

test('what is generated is what is committed; else run `npm run generate`', () => {
  const stale = [...files].filter(
    ([path, text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text,
  )
  expect(stale.map(([path]) => path)).toEqual([])
})

test('no page is left of a command that is gone', () => {
  const pages = globSync('docs/reference/*', { cwd: root })
  expect(pages.filter((path) => !files.has(path))).toEqual([])
})

test('every command has a summary, examples and a schema of its JSON', async () => {
  for (const { id, summary, examples, enableJsonFlag } of await loadCommands()) {
    expect(summary, id).toMatch(/\.$/)
    expect(examples?.length, `examples of ${id}`).toBeGreaterThan(0)
    if (enableJsonFlag === true) expect(loadSchema(id), `test/contracts/schemas/${id}.json`).toBeDefined()
  }
})
