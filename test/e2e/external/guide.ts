import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const TEXT = readFileSync(join(import.meta.dirname, '../../../docs/external.md'), 'utf8')

const blocks = (language: string): readonly string[] =>
  [...TEXT.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, of, text = '']) => (of === language ? [text] : []))

/** The commands of docs/external.md, as argument lists, with what stands for somebody's own replaced. */
export const commands = (own: Readonly<Record<string, string>>): readonly (readonly string[])[] =>
  blocks('sh')
    .flatMap((block) => block.trim().split('\n'))
    .map((line) => replaced(line, own).split(' ').slice(1))

/** The step that pushes, of the workflow for GitHub Actions. */
export function pushStep(own: Readonly<Record<string, string>>): string {
  type Workflow = { jobs: { image: { steps: readonly { name?: string; run?: string }[] } } }
  const { jobs } = parse(blocks('yaml')[0] ?? '') as Workflow
  return replaced(jobs.image.steps.find(({ name }) => name === 'push')?.run ?? '', own)
}

const replaced = (text: string, own: Readonly<Record<string, string>>): string =>
  Object.entries(own).reduce((all, [from, to]) => all.replaceAll(from, to), text)
