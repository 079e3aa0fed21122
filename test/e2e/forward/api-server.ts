import { readFile } from 'node:fs/promises'
import { inState } from '../../lab/paths.ts'
import { start } from '../../lab/processes.ts'
import { eventually, kubectlOk } from '../cluster.ts'
import { alive } from './kit.ts'

/** Ends the lab's API server, waits `milliseconds`, and starts it again with the same command line. */
export async function restartApiServer(milliseconds: number): Promise<void> {
  const pid = Number(await readFile(inState('pids', 'apiserver'), 'utf8'))
  const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').filter((arg) => arg !== '')
  // As a crash: in order it would wait for its clients, the forwards among them.
  process.kill(pid, 'SIGKILL')
  await eventually(
    async () => {
      if (await alive(pid)) throw new Error('the API server still runs')
    },
    { every: 50 },
  )
  await new Promise((resolve) => setTimeout(resolve, milliseconds))
  await start('apiserver', argv)
  await eventually(() => kubectlOk(['get', '--raw', '/readyz']), { every: 200 })
}
