import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import config from '../../rolldown.config.ts'

const root = join(import.meta.dirname, '../..')

/** The licences of the packages whose code is in `dist/`. */
export async function notices(): Promise<string> {
  const { output: _, ...input } = config
  const bundle = await rolldown({ ...input, cwd: root, logLevel: 'silent' })
  const { output } = await bundle.generate({ format: 'esm' })
  await bundle.close()
  const modules = output.flatMap((part) => (part.type === 'chunk' ? part.moduleIds : []))
  const homes = new Set(modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []))
  const packages = [...homes].map(describe).sort((one, other) => one.title.localeCompare(other.title, 'en'))
  const unique = [...new Map(packages.map((one) => [one.title, one])).values()]
  const head =
    '# Third-party notices\n\nregctl carries code of these packages in `dist/`. Written by `npm run generate`.\n'
  return [head, ...unique.map(({ title, text }) => `## ${title}\n\n\`\`\`\n${text}\n\`\`\`\n`)].join('\n')
}

function describe(home: string): { readonly title: string; readonly text: string } {
  const { name, version, license } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Record<
    string,
    unknown
  >
  const names = readdirSync(home).filter((file) => /^(licen[cs]e|notice|copying)(\.|-|$)/i.test(file))
  const texts = names
    .filter((file) => existsSync(join(home, file)))
    .map((file) => readFileSync(join(home, file), 'utf8').trim())
  // Some packages name their licence and ship no text of it.
  const text = texts.length > 0 ? texts.join('\n\n') : `Licence: ${String(license)} (the package ships no text of it)`
  return { title: `${String(name)} ${String(version)} (${String(license)})`, text: text.replaceAll('\r\n', '\n') }
}
