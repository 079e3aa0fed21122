import { readFile, readlink } from 'node:fs/promises'
import { run } from '../exec.ts'

/** When the process started, in whatever form the system tells it; empty where there is no such process. */
export async function startOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    // Fields are counted from behind the name, which may hold anything; the 22nd is the start in ticks since boot.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const zombie = fields[0] === 'Z' || fields[0] === 'X'
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
    return fields[19] === undefined || zombie ? '' : `${fields[19]} ${boot.trim()}`
  }
  return (await run(['ps', '-o', 'lstart=', '-p', String(pid)]))?.stdout.trim() ?? ''
}

/** Pids mean something else in another namespace, and other users' processes are theirs. */
const place = async (): Promise<string> => {
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '')
  return `${process.getuid?.() ?? 0}.${Number(/\d+/.exec(namespace)?.[0] ?? 0).toString(36)}`
}

/** Tells a process from all others: `UID.NAMESPACE.PID.START`; short, because the path of a socket has 107 characters. */
export const ownerOf = async (pid: number): Promise<string> =>
  `${await place()}.${pid}.${(await startOf(pid)).replace(/[^0-9a-f]/gi, '').slice(0, 12)}`

/** Whether that was a process of this user's, here, that is gone. */
export async function isGone(owner: string): Promise<boolean> {
  const pid = Number(owner.split('.')[2])
  return owner.startsWith(`${await place()}.`) && Number.isInteger(pid) && (await ownerOf(pid)) !== owner
}
