import type { Command } from '@oclif/core'

/** `docs/reference/`: one page a command, and an index. */
export function referencePages(commands: readonly Command.Loadable[]): ReadonlyMap<string, string> {
  const pages = new Map<string, string>()
  const index = commands.map(({ id, summary }) => `- [regctl ${words(id)}](${fileOf(id)}): ${summary}`)
  pages.set('README.md', ['# Commands', '', GENERATED, '', ...index, ''].join('\n'))
  for (const command of commands) pages.set(fileOf(command.id), page(command))
  return pages
}

const GENERATED = '<!-- Written by `npm run generate`; edit the command instead. -->'
const words = (id: string): string => id.replaceAll(':', ' ')
const fileOf = (id: string): string => `${id.replaceAll(':', '-')}.md`
const fill = (text: string): string => text.replaceAll('<%= config.bin %>', 'regctl')

function page(command: Command.Loadable): string {
  const name = `regctl ${words(command.id)}`
  const args = Object.values(command.args).filter(({ hidden }) => hidden !== true)
  const usage = [
    name,
    ...args.map((arg) => (arg.required ? arg.name.toUpperCase() : `[${arg.name.toUpperCase()}]`)),
    '[FLAGS]',
  ]
  const lines = [`# ${name}`, '', GENERATED, '', fill(command.summary ?? ''), '', '```', usage.join(' '), '```', '']
  if (command.description !== undefined) lines.push(fill(command.description), '')
  if (args.length > 0) {
    lines.push(
      '## Arguments',
      '',
      ...args.map((arg) => `- \`${arg.name.toUpperCase()}\`: ${arg.description ?? ''}`),
      '',
    )
  }
  lines.push('## Flags', '', ...flagLines(command), '')
  if (command.examples !== undefined && command.examples.length > 0) {
    lines.push('## Examples', '', '```sh', ...command.examples.flatMap(example), '```', '')
  }
  return lines.join('\n')
}

function flagLines({ flags }: Command.Loadable): readonly string[] {
  return Object.entries(flags)
    .filter(([, flag]) => flag.hidden !== true)
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([name, flag]) => {
      const value = flag.type === 'option' ? ` ${flag.options?.join('|') ?? flag.helpValue ?? 'VALUE'}` : ''
      const negated = flag.type === 'boolean' && flag.allowNo === true ? `, \`--no-${name}\`` : ''
      const short = flag.char === undefined ? '' : `\`-${flag.char}\`, `
      const preset =
        flag.default === undefined || flag.default === false ? '' : ` Default: \`${String(flag.default)}\`.`
      return `- ${short}\`--${name}${value}\`${negated}: ${fill(flag.summary ?? flag.description ?? '')}${preset}`
    })
}

function example(given: Command.Example): readonly string[] {
  return typeof given === 'string' ? [fill(given)] : [`# ${given.description}`, fill(given.command)]
}
