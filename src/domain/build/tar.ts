/** What a tar archive says of one file; owner and group are root's, as in every build context. */
export type TarEntry = {
  readonly path: string
  readonly type: 'file' | 'directory' | 'link'
  readonly mode: number
  /** Seconds since 1970. */
  readonly mtime: number
  readonly size: number
  /** Where a symbolic link leads. */
  readonly target?: string
}

const BLOCK = 512
const TYPE = { file: '0', link: '2', directory: '5' } as const
const LARGEST_OCTAL = 8 ** 11 - 1

/** The header in front of a file's content, with a PAX header where the old fields are too small or not ASCII. */
export function tarHeader(entry: TarEntry): Buffer {
  const path = entry.type === 'directory' ? `${entry.path}/` : entry.path
  const records = [
    ...(fits(path) ? [] : [record('path', path)]),
    ...(entry.target === undefined || fits(entry.target) ? [] : [record('linkpath', entry.target)]),
    ...(entry.size <= LARGEST_OCTAL ? [] : [record('size', String(entry.size))]),
  ]
  const own = block(path, TYPE[entry.type], entry)
  if (records.length === 0) return own
  const extended = Buffer.concat(records)
  const before = block('PaxHeader', 'x', { ...entry, mode: 0o644, size: extended.length, target: '' })
  return Buffer.concat([before, extended, padding(extended.length), own])
}

/** Zeros up to the next block. */
export const padding = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK)

/** Two empty blocks end an archive. The rest is there so that no reader waits for more of the stream before it sees them. */
export const tarEnd = (): Buffer => Buffer.alloc(BLOCK * 40)

const fits = (text: string): boolean => /^[\x20-\x7e]*$/.test(text) && text.length <= 100

function block(path: string, type: string, entry: Pick<TarEntry, 'mode' | 'mtime' | 'size' | 'target'>): Buffer {
  const header = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, length: number): void =>
    void header.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1')
  header.write(path.slice(0, 100), 0, 100, 'latin1')
  octal(entry.mode & 0o7777, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(Math.min(entry.size, LARGEST_OCTAL), 124, 12)
  octal(Math.max(0, Math.floor(entry.mtime)), 136, 12)
  header.write('        ', 148, 'latin1')
  header.write(type, 156, 'latin1')
  header.write((entry.target ?? '').slice(0, 100), 157, 100, 'latin1')
  header.write('ustar\u000000', 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

/** A PAX record starts with its own length, the digits of which count too. */
function record(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`
  const bytes = Buffer.byteLength(rest)
  let length = bytes + String(bytes).length
  if (String(length).length > String(bytes).length) length = bytes + String(length).length
  return Buffer.from(`${length}${rest}`)
}
