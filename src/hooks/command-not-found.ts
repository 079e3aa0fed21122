import type { Hook } from '@oclif/core'

const hook: Hook<'command_not_found'> = async ({ id, config }) => {
  // With a space between topics oclif takes the arguments for a part of the command.
  const [word = '', ...rest] = id.split(':')
  if (config.commandIDs.includes(word)) {
    process.stderr.write(`Error: ${word} takes no argument "${rest.join(' ')}"\nTry: ${config.bin} ${word} --help\n`)
    process.exit(2)
  }
  const near = config.commandIDs
    .map((known) => ({ known, away: distance(word, known) }))
    .filter(({ known, away }) => away <= Math.max(1, Math.floor(known.length / 3)))
    .sort((one, other) => one.away - other.away)[0]
  const help = near === undefined ? `${config.bin} --help` : `${config.bin} ${near.known}`
  process.stderr.write(`Error: "${word}" is not a command\nTry: ${help}\n`)
  process.exit(2)
}

export default hook

/** Levenshtein's: how many letters to put in, take out or change. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1]
    for (const [index, wanted] of [...other].entries()) {
      const changed = (row[index] ?? 0) + (letter === wanted ? 0 : 1)
      next.push(Math.min(changed, (row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1))
    }
    row = next
  }
  return row[other.length] ?? 0
}
