import { theme } from '../../src/ui/theme.ts'

/** What the demo tells, on stdout; it counts how many promises were kept. */
export const account = { kept: 0, broken: [] as string[] }

const print = (text = ''): void => void process.stdout.write(`${text}\n`)

export function chapter(title: string, why: string): void {
  print()
  print(theme.strong(title))
  print(theme.faint(why))
}

/** The command as it is run, ready to be pasted. */
export const command = (argv: readonly string[]): void => print(`  ${theme.command(`$ ${argv.map(quoted).join(' ')}`)}`)

export const output = (text: string): void => {
  for (const line of text.split('\n')) if (line.trim() !== '') print(`    ${theme.faint(line)}`)
}

export const remark = (text: string): void => print(`  ${theme.caution('•')} ${text}`)

/** One promise and whether it held. */
export function promise(what: string, held: boolean, otherwise = ''): void {
  if (held) account.kept += 1
  else account.broken.push(`${what}: ${otherwise}`)
  print(held ? `  ${theme.good(`✔ ${what}`)}` : `  ${theme.bad(`✖ ${what}`)}\n    ${otherwise}`)
}

export function verdict(seconds: number): void {
  const { kept, broken } = account
  print()
  if (broken.length === 0) print(theme.good(theme.strong(`All ${kept} promises held, in ${seconds} s.`)))
  else print(theme.bad(`${broken.length} of ${kept + broken.length} promises did not hold: ${broken.join('; ')}`))
}

/** As a shell would need it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
