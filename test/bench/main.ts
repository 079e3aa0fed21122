import { parseArgs } from 'node:util'
import { commandCosts } from './commands.ts'
import { forwardFigures } from './forward.ts'
import { innerLoop } from './inner-loop.ts'
import { medianRatio, type Series } from './series.ts'
import { transferRates } from './transfers.ts'

/**
 * `npm run bench [-- TOPIC]`: figures as ratios inside one run, so that they mean the same on every machine. `--rounds N`, `--json`.
 * Topic `commands` (the default): start-up and commands, and a node's pull. Topic `forward`: every way of `regctl dev-forward`.
 * Topic `inner-loop`: an iteration of `skaffold dev`.
 * REGCTL_BENCH_PROXY_IMAGE is the proxy image that the docker of this machine has.
 * The cluster's part runs where KUBECONFIG points to one that regctl is installed in (`npm run lab -- up`, then `regctl up`).
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, json: { type: 'boolean', default: false } },
})
const rounds = Number(values.rounds)

const topics: Readonly<Record<string, () => Promise<readonly Series[]>>> = {
  commands: async () => [...(await commandCosts(rounds)), ...(await transferRates(rounds))],
  forward: () => forwardFigures(rounds),
  'inner-loop': () => innerLoop(rounds),
}

const [topic = 'commands'] = positionals
const run = topics[topic]
if (run === undefined) {
  process.stderr.write(`Error: there is no topic "${topic}"; there are ${Object.keys(topics).join(', ')}\n`)
  process.exit(2)
}
const all = await run()
for (const { name, base, ratios, value } of all) {
  if (values.json) break
  const figure = value ?? `${medianRatio(ratios).toFixed(2)} x ${base}`
  const spread = ratios.length < 2 ? '' : ` (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`
  process.stdout.write(`${name.padEnd(56)} ${figure}${spread}\n`)
}
if (values.json)
  process.stdout.write(`${JSON.stringify(all.map((one) => ({ ...one, median: medianRatio(one.ratios) })))}\n`)
