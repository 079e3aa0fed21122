import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The commands of a page's shell blocks, without their remarks, in order. */
export function commandsOf(page: string): readonly (readonly string[])[] {
  const text = readFileSync(join(import.meta.dirname, '../../../docs', page), 'utf8')
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)]
    .flatMap(([, block = '']) => block.split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/))
}
