import { join } from 'node:path'
import { execa } from 'execa'
import { compare, type Series } from './series.ts'

const regctl = join(import.meta.dirname, '../../bin/run.js')

const node = (...args: readonly string[]) => execa(process.execPath, [...args], { stdin: 'ignore' })

/** Start-up of the built CLI against bare Node, and of commands against the cluster where there is one. */
export async function commandCosts(rounds: number): Promise<readonly Series[]> {
  const start = await compare(rounds, { name: 'node -e 0', run: () => node('-e', '0') }, [
    { name: 'regctl --version', run: () => node(regctl, '--version') },
    { name: 'regctl grant --help', run: () => node(regctl, 'grant', '--help') },
  ])
  if (process.env.KUBECONFIG === undefined) return start
  const cluster = await compare(
    rounds,
    { name: 'kubectl get pods -A', run: () => execa('kubectl', ['get', 'pods', '-A'], { stdin: 'ignore' }) },
    [
      { name: 'regctl grants', run: () => node(regctl, 'grants') },
      { name: 'regctl status', run: () => node(regctl, 'status') },
      { name: 'regctl up (nothing to change)', run: () => node(regctl, 'up') },
    ],
  )
  return [...start, ...cluster]
}
