import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'vitest'
import { lab } from '../cluster.ts'

export const COLUMNS = ['push from the workstation', 'push from a pod', 'pulled by the kubelet'] as const
export type Column = (typeof COLUMNS)[number]

type Outcome = 'yes' | 'no'

/** What a run found out: client, column, outcome. Cells no test is for are not in it. */
const found = new Map<string, Outcome>()

const keyOf = (client: string, column: Column): string => `${client} | ${column}`

/** A test that is one cell of the table in docs/clients.md. */
export function cell(client: string, column: Column, body: (context: TestContext) => Promise<void>): void {
  test(`${client}: ${column}`, async (context) => {
    context.skip(lab === undefined, 'needs the lab: it runs clients of this machine')
    found.set(keyOf(client, column), 'no')
    await body(context)
    found.set(keyOf(client, column), 'yes')
  })
}

const FILE = join(import.meta.dirname, '../../../docs/clients.md')
const START = '<!-- from the results of test/e2e/86-clients; REGCTL_E2E_WRITE=1 writes it anew -->'
const END = '<!-- end -->'

/** The rows of the table as the page has them, by client. */
function rowsOf(page: string): Map<string, string[]> {
  const table = page.slice(page.indexOf(START) + START.length, page.indexOf(END))
  const lines = table.trim().split('\n').slice(2)
  return new Map(
    lines.map((line) => {
      const [client = '', ...cells] = line
        .split('|')
        .slice(1, -1)
        .map((text) => text.trim())
      return [client, cells]
    }),
  )
}

/** What the page says against what was found, and the page with what was found. */
export async function tableCheck(): Promise<{
  readonly differences: readonly string[]
  readonly write: () => Promise<void>
}> {
  const page = await readFile(FILE, 'utf8')
  const rows = rowsOf(page)
  const differences: string[] = []
  for (const [key, outcome] of found) {
    const [client = '', column = ''] = key.split(' | ')
    const at = COLUMNS.indexOf(column as Column)
    const cells = rows.get(client) ?? COLUMNS.map(() => '–')
    if (cells[at] !== outcome) differences.push(`${key}: found "${outcome}", the page says "${cells[at]}"`)
    cells[at] = outcome
    rows.set(client, cells)
  }
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const table = [
    line(['client', ...COLUMNS]),
    line(['---', ...COLUMNS.map(() => '---')]),
    ...[...rows].map(([client, cells]) => line([client, ...cells])),
  ].join('\n')
  const text = `${page.slice(0, page.indexOf(START) + START.length)}\n\n${table}\n\n${page.slice(page.indexOf(END))}`
  return { differences, write: () => writeFile(FILE, text) }
}
