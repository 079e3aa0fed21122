import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { execa } from 'execa'
import { startDocker } from '../e2e/forward/docker.ts'
import { type Dev, skaffoldDev } from '../e2e/skaffold/programs.ts'
import { skaffoldProject } from '../e2e/skaffold/project.ts'
import { labInfo } from '../lab/lab.ts'
import { openRegistry } from './open-registry.ts'
import { medianRatio, type Series, seconds } from './series.ts'
import { kubectlWay, ourWay } from './ways.ts'

const regctl = join(import.meta.dirname, '../../bin/run.js')
const REPOSITORY = 'regctl-bench/shop'
const ARTIFACT = 'api'

/** One iteration: seconds from a change of code to a running pod; returns when Skaffold waits for the next. */
type Loop = (version: string) => Promise<number>

/**
 * An iteration of `skaffold dev`, from a change of code to a running pod, as a multiple of the same project on an open
 * registry in the cluster: built by one Docker daemon, pushed through `kubectl port-forward` there, `regctl dev-forward` here.
 */
export async function innerLoop(rounds: number): Promise<readonly Series[]> {
  const lab = await labInfo()
  if (lab === undefined || process.env.KUBECONFIG === undefined) {
    process.stderr.write('left out: it needs the lab (npm run lab -- up) and KUBECONFIG set to it\n')
    return []
  }
  const ends: (() => PromiseLike<void>)[] = []
  try {
    const docker = kept(ends, await startDocker())
    const open = kept(ends, await openRegistry(lab.images.registry ?? ''))
    ends.push((await kubectlWay(open.port, open.target)).close)
    ends.push((await ourWay('port-forward, by kubectl', 5000, '')).close)
    const environment = { DOCKER_HOST: docker.host }
    const there = { ...environment, SKAFFOLD_DEFAULT_REPO: `localhost:${open.port}/${REPOSITORY}` }
    const loops = [
      await started(ends, 'open', there),
      await started(ends, 'regctl', environment, ['--repository', REPOSITORY, '--builder', 'local', '--yes']),
    ] as const
    return seriesOf(await iterations(rounds, loops))
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

function kept<T extends AsyncDisposable>(ends: (() => PromiseLike<void>)[], one: T): T {
  ends.push(() => one[Symbol.asyncDispose]())
  return one
}

type Times = readonly [number[], number[]]

async function iterations(rounds: number, loops: readonly [Loop, Loop]): Promise<Times> {
  const times: Times = [[], []]
  for (let round = 0; round <= rounds; round++)
    // Who goes first changes: what one leaves in the machine's caches is the other's.
    for (const index of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const taken = await loops[index](`round ${round}`)
      if (round > 0) times[index].push(taken)
    }
  return times
}

function seriesOf([there, here]: Times): readonly Series[] {
  const ratios = here.map((taken, round) => taken / (there[round] ?? Number.NaN))
  const value = `${medianRatio(here).toFixed(2)} s; open registry ${medianRatio(there).toFixed(2)} s`
  return [
    { name: 'skaffold dev, from a change of code to a running pod', base: 'an open registry (at most 1.15)', ratios },
    { name: 'the same, in seconds', base: '', ratios: [], value },
  ]
}

/** `skaffold dev` at work in a namespace of its own. */
async function started(
  ends: (() => PromiseLike<void>)[],
  name: string,
  environment: Readonly<Record<string, string>>,
  init: readonly string[] = [],
): Promise<Loop> {
  const namespace = `regctl-bench-${name}-run`
  await execa('kubectl', ['create', 'namespace', namespace], { reject: false })
  ends.push(async () => {
    await execa('kubectl', ['delete', 'namespace', namespace, '--wait=false'])
  })
  const project = kept(ends, await skaffoldProject())
  const home = { cwd: project.directory, env: { HOME: project.home } }
  if (init.length > 0) await execa(process.execPath, [regctl, 'skaffold-init', ...init], home)
  const dev = kept(ends, await skaffoldDev(project, ['-n', namespace], environment))
  await dev.watching()
  const pods = kept(ends, watchPods(namespace))
  return async (version) => {
    const before = waits(dev)
    const taken = await seconds(async () => {
      const next = pods.next()
      await project.change(ARTIFACT, version)
      await next
    })
    while (waits(dev) === before) await pause(50)
    return taken
  }
}

const waits = (dev: Dev): number => dev.said().split('Watching for changes').length

type Watch = AsyncDisposable & {
  /** The next pod of the artifact that runs and was not there before. */
  readonly next: () => Promise<void>
}

function watchPods(namespace: string): Watch {
  const known = new Set<string>()
  let told: (() => void) | undefined
  const path = 'jsonpath={.metadata.name} {.status.containerStatuses[0].state.running.startedAt}{"\\n"}'
  const argv = ['get', 'pods', '-n', namespace, '-l', `app=${ARTIFACT}`, '--watch', '-o', path]
  const child: ChildProcess = spawn('kubectl', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  let rest = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [name = '', running = ''] = line.split(' ')
      if (running === '' || known.has(name)) continue
      known.add(name)
      told?.()
      told = undefined
    }
  })
  return {
    next: () =>
      new Promise((resolve) => {
        told = resolve
      }),
    [Symbol.asyncDispose]: async () => {
      const over = once(child, 'exit')
      child.kill('SIGTERM')
      await over
    },
  }
}
