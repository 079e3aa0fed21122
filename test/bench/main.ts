import { parseArgs } from 'node:util'
import { commandCosts } from './commands.ts'
import { medianRatio, type Series } from './series.ts'
import { transferRates } from './transfers.ts'

/**
 * `npm run bench`: figures as ratios inside one run, so that they mean the same on every machine. `--rounds N`; the
 * cluster's part runs where KUBECONFIG points to one that regctl is installed in (`npm run lab -- up`, then `regctl up`).
 */
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } })
const rounds = Number(values.rounds)

const series: Series[] = [...(await commandCosts(rounds)), ...(await transferRates(rounds))]
for (const { name, base, ratios } of series) {
  const median = medianRatio(ratios)
  const spread = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
  process.stdout.write(`${name.padEnd(48)} ${median.toFixed(2)} x ${base} (${spread})\n`)
}
