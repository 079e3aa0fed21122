/** Who listens on a port, as far as this user may see. */
export type PortHolder = {
  readonly pid?: number
  readonly command?: string
  /** User id, where the system tells it. */
  readonly uid?: number
  readonly airPlay?: boolean
}

const LISTEN = '0A'

/** Inodes and owners of the sockets that listen on `port`, from /proc/net/tcp or tcp6. */
export function listeningSockets(
  table: string,
  port: number,
): readonly { readonly inode: string; readonly uid: number }[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(suffix) === true && state === LISTEN)
    .flatMap(([, , , , , , , uid, , inode]) => (inode === undefined ? [] : [{ inode, uid: Number(uid) }]))
}

/** Of `lsof -nP -iTCP:PORT -sTCP:LISTEN -F pcu`: one field a line, the letter first. */
export function holderFromLsof(output: string): PortHolder | undefined {
  const field = (letter: string) => new RegExp(`^${letter}(.*)$`, 'm').exec(output)?.[1]
  const pid = field('p')
  if (pid === undefined) return undefined
  const [command, uid] = [field('c'), field('u')]
  return {
    pid: Number(pid),
    ...(command === undefined ? {} : { command }),
    ...(uid === undefined ? {} : { uid: Number(uid) }),
    // The AirPlay receiver of macOS 12 and later; lsof cuts names at nine characters and escapes none of these.
    ...(/^ControlC/.test(command ?? '') ? { airPlay: true } : {}),
  }
}

/** Such as `"python3 -m http.server" (pid 4711)`. */
export function holderText({ pid, command, airPlay }: PortHolder): string {
  const name = airPlay === true ? 'the AirPlay receiver of macOS' : `"${command ?? 'a process of another user'}"`
  return pid === undefined ? name : `${name} (pid ${pid})`
}
