import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { localFiles } from '../../src/adapters/files.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'regctl-files-'))
})
afterEach(() => {
  chmodSync(directory, 0o700)
  rmSync(directory, { recursive: true })
})

const files = localFiles({ HOME: '/home/ada' })
const at = (name: string) => join(directory, name)
const put = (name: string, content: string | Buffer, mode = 0o644): string => {
  writeFileSync(at(name), content)
  chmodSync(at(name), mode)
  return at(name)
}
function replaced(path: string, by: () => void): void {
  rmSync(path)
  by()
}
const code = (value: string) => expect.objectContaining({ code: value, oclif: { exit: 4 } })

test('a file keeps its mode, and nothing is left beside it', async () => {
  const path = put('a', 'before', 0o640)
  await files.write([{ path, before: 'before', text: 'after' }])
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777, readdirSync(directory)]).toEqual([
    'after',
    0o640,
    ['a'],
  ])
})

test('a new one comes with its directories, for the user alone', async () => {
  const path = at('x/y/config')
  await files.write([{ path, before: undefined, text: 'new' }])
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777, statSync(at('x')).mode & 0o777]).toEqual([
    'new',
    0o600,
    0o700,
  ])
})

test('every byte of UTF-8 comes back, the byte order mark too', async () => {
  const text = '\uFEFFa: ü\r\n'
  const path = put('a', text)
  expect(await files.read(path)).toBe(text)
  await files.write([{ path, before: text, text: `${text}b` }])
  expect(readFileSync(path)).toEqual(Buffer.from(`${text}b`))
})

describe('refused, nothing written', () => {
  test.each<[string, string, (path: string) => void]>([
    ['READ_ONLY', 'a file nobody may write, not even root', (path) => chmodSync(path, 0o444)],
    ['CHANGED_MEANWHILE', 'another content', (path) => writeFileSync(path, 'theirs')],
    ['CHANGED_MEANWHILE', 'gone', (path) => rmSync(path)],
    ['SYMLINK', 'a link', (path) => replaced(path, () => symlinkSync(put('target', 'before'), path))],
    ['SYMLINK', 'a link to nothing', (path) => replaced(path, () => symlinkSync('nothing', path))],
    ['NOT_A_FILE', 'a directory', (path) => replaced(path, () => mkdirSync(path))],
    ['NOT_UTF8', 'UTF-16', (path) => writeFileSync(path, Buffer.from('\uFEFFbefore', 'utf16le'))],
  ])('%s: %s', async (expected, _, spoil) => {
    const [first, second] = [put('a', 'one'), put('b', 'before')]
    spoil(second)
    const link = lstatSync(second, { throwIfNoEntry: false })
    const writing = files.write([
      { path: first, before: 'one', text: 'two' },
      { path: second, before: 'before', text: 'after' },
    ])
    await expect(writing).rejects.toThrow(code(expected))
    expect(readFileSync(first, 'utf8')).toBe('one')
    expect(lstatSync(second, { throwIfNoEntry: false })?.mtimeMs).toBe(link?.mtimeMs)
    expect(readdirSync(directory).filter((name) => name.includes('.regctl-'))).toEqual([])
  })

  test('what is new must not be there yet', async () => {
    const path = put('a', 'theirs')
    await expect(files.write([{ path, before: undefined, text: 'ours' }])).rejects.toThrow(code('CHANGED_MEANWHILE'))
    expect(readFileSync(path, 'utf8')).toBe('theirs')
  })

  test('a place that is no directory', async () => {
    const path = put('a', 'x')
    await expect(files.write([{ path: join(path, 'b'), before: undefined, text: 'x' }])).rejects.toThrow(
      code('NOT_WRITABLE'),
    )
  })
})

test('a link is read, so that a check works', async () => {
  put('target', 'text')
  symlinkSync('target', at('link'))
  expect(await files.read(at('link'))).toBe('text')
})

test('another name of the same file keeps what was', async () => {
  const path = put('a', 'before')
  linkSync(path, at('b'))
  await files.write([{ path, before: 'before', text: 'after' }])
  expect(readFileSync(at('b'), 'utf8')).toBe('before')
})

test('places', () => {
  expect([files.home, files.state]).toEqual(['/home/ada', '/home/ada/.local/state/regctl'])
  expect(localFiles({ HOME: '/h', XDG_STATE_HOME: '/s' }).state).toBe('/s/regctl')
  expect(existsSync('/home/ada/.local')).toBe(false)
})
