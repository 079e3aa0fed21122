import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { proxyEngine } from '../e2e/forward/proxy-engine.ts'
import { labInfo } from '../lab/lab.ts'
import { directWay } from './direct-way.ts'
import { type Blob, heads, MEBIBYTE, makeBlob, pull, push } from './loads.ts'
import { compare, type Series, seconds } from './series.ts'
import { volumeInMemory } from './volume.ts'
import { kubectlWay, loopbackWay, OURS, ourWay, type Way } from './ways.ts'

const NAMESPACE = 'regctl-bench'
const REPOSITORY = 'regctl-bench/blob'
const ACCOUNT = 'developer'
const LAYERS = 40

const regctl = join(import.meta.dirname, '../../bin/run.js')

type Load = { readonly name: string; readonly run: (way: Way) => Promise<unknown>; readonly everywhere: boolean }

const times = async (count: number, run: (index: number) => Promise<unknown>): Promise<void> => {
  await Promise.all(Array.from({ length: count }, (_, index) => run(index)))
}

function loads(big: Blob, layers: readonly Blob[], parts: readonly Blob[]): readonly Load[] {
  const one = layers[0] as Blob
  const streams = [4, 8].map((count) => ({
    name: `pull ${count} x 25 MiB at once`,
    run: (way: Way) => times(count, (index) => pull(way, REPOSITORY, parts[index] as Blob)),
    everywhere: true,
  }))
  return [
    { name: 'push 200 MiB', run: (way) => push(way, REPOSITORY, big), everywhere: true },
    { name: 'pull 200 MiB', run: (way) => pull(way, REPOSITORY, big), everywhere: true },
    ...streams,
    {
      name: `push ${LAYERS} layers of 256 KiB`,
      run: (way) => times(LAYERS, (index) => push(way, REPOSITORY, layers[index] as Blob)),
      everywhere: true,
    },
    // Its client is this process, which is not in the pod.
    { name: 'HEAD of 1000 blobs, 8 connections', run: (way) => heads(way, REPOSITORY, one), everywhere: false },
  ]
}

/** Speed of every way as a multiple of `kubectl port-forward`; all of them in turn within a round. More is faster. */
export async function forwardFigures(rounds: number): Promise<readonly Series[]> {
  const directory = await mkdtemp(join(tmpdir(), 'regctl-bench-'))
  const ways: Way[] = []
  const volume = await volumeInMemory()
  const engine = await labEngine()
  try {
    await developer()
    const base = await kubectlWay(15500)
    ways.push(base, await loopbackWay())
    const direct = await directWay(directory, NAMESPACE, ACCOUNT)
    if (direct !== undefined) ways.push(direct)
    for (const [index, name] of OURS.entries()) {
      const way = await ourWay(name, 15501 + index, `${NAMESPACE}/${ACCOUNT}`).catch((error: unknown) => {
        process.stderr.write(`left out: ${String(error)}\n`)
      })
      if (way !== undefined) ways.push(way)
    }
    const blobs = async (count: number, bytes: number) => {
      const made: Blob[] = []
      for (let index = 0; index < count; index++) made.push(await makeBlob(directory, bytes))
      return made
    }
    const [big] = await blobs(1, 200 * MEBIBYTE)
    const [layers, parts] = [await blobs(LAYERS, MEBIBYTE / 4), await blobs(8, 25 * MEBIBYTE)]
    for (const blob of [...layers, ...parts]) await push(base, REPOSITORY, blob)
    const all: Series[] = []
    for (const load of loads(big as Blob, layers, parts)) {
      const others = ways.slice(1).filter(({ prefix }) => load.everywhere || prefix.length === 0)
      const series = await compare(
        rounds,
        { name: `${base.name}`, run: () => load.run(base) },
        others.map((way) => ({ name: `${load.name}: ${way.name}`, run: () => load.run(way) })),
      )
      all.push(...series.map((one) => ({ ...one, ratios: one.ratios.map((ratio) => 1 / ratio) })))
    }
    const resident = memory(ways)
    for (const way of ways.splice(0)) await way.close()
    return [...all, ...(await starts(rounds)), ...resident]
  } finally {
    for (const way of ways) await way.close()
    await engine?.[Symbol.asyncDispose]()
    await volume?.[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  }
}

async function developer(): Promise<void> {
  await execa('kubectl', ['create', 'namespace', NAMESPACE], { reject: false })
  const args = [NAMESPACE, 'regctl-bench', '--developer', 'user:bench', '--service-account', ACCOUNT]
  await execa(process.execPath, [regctl, 'grant', ...args], { reject: false, stderr: 'inherit' })
}

/** A dockerd for proxy mode, where nobody says that there is one. */
async function labEngine(): Promise<AsyncDisposable | undefined> {
  if (process.env.REGCTL_BENCH_PROXY_IMAGE !== undefined || (await labInfo()) === undefined) return undefined
  const engine = await proxyEngine()
  process.env.REGCTL_BENCH_PROXY_IMAGE = engine.flags.at(-1)
  return engine
}

/** From the start of the process to its first answer, each time anew. */
async function starts(rounds: number): Promise<readonly Series[]> {
  const identity = `${NAMESPACE}/${ACCOUNT}`
  const open: Readonly<Record<string, () => Promise<Way>>> = {
    'kubectl port-forward': () => kubectlWay(15510),
    ...Object.fromEntries(OURS.map((name) => [name, () => ourWay(name, 15510, identity)])),
  }
  const ratios = new Map(Object.keys(open).map((name): [string, number[]] => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, start] of Object.entries(open)) {
      const bare = await seconds(() => execa(process.execPath, ['-e', '0']))
      const way = await start().catch(() => undefined)
      await way?.close()
      if (way !== undefined && round > 0) ratios.get(name)?.push(way.startSeconds / bare)
    }
  }
  return [...ratios]
    .filter(([, found]) => found.length > 0)
    .map(([name, found]) => ({ name: `first byte: ${name}`, base: 'node -e 0', ratios: found }))
}

const memory = (ways: readonly Way[]): readonly Series[] =>
  ways.flatMap((way) => {
    const peak = way.peakMiB()
    return peak === undefined
      ? []
      : [{ name: `resident memory at most: ${way.name}`, base: '', ratios: [], value: `${peak} MiB` }]
  })
