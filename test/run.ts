import { parseArgs } from 'node:util'
import { build } from './build.ts'
import { check } from './check.ts'
import { nothing, runSuites, sum } from './suites.ts'

/**
 * `npm test`: everything. `--keep` leaves the lab running, `--bail N` ends the e2e suites after N failures, `--long` adds
 * what takes minutes; a name selects e2e files. REGCTL_E2E_CONTEXT runs the e2e suites on that kubeconfig context instead.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keep: { type: 'boolean' }, long: { type: 'boolean' }, bail: { type: 'string', default: '0' } },
})
if (values.keep === true) process.env.REGCTL_E2E_KEEP = '1'
if (values.long === true) process.env.REGCTL_E2E_LONG = '1'

const checked = positionals.length > 0 ? nothing : await check()
build()
const { passed, failed, skipped } = sum([checked, await runSuites(['e2e'], [`--bail=${values.bail}`, ...positionals])])
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`)
