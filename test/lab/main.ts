import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { systemPath } from './command.ts'
import type { LabInfo } from './info.ts'
import { labDown, labInfo, labUp } from './lab.ts'
import { inState } from './paths.ts'
import { labStatus } from './status.ts'
import { type ExtraSet, extraNames } from './tools.ts'

const usage = 'usage: npm run lab -- up [--tools all|NAME,…] | down | status | info | shell'

async function requireInfo(): Promise<LabInfo> {
  const info = await labInfo()
  if (info === undefined) throw new Error('the lab is not up: npm run lab -- up')
  return info
}

const verbs: Readonly<Record<string, (extraTools: readonly ExtraSet[]) => Promise<void>>> = {
  up: async (extraTools) => {
    const started = Date.now()
    const info = await labUp({ extraTools })
    const seconds = Math.round((Date.now() - started) / 1000)
    process.stderr.write(
      `the lab is up (${seconds} s): export KUBECONFIG=${info.kubeconfig} PATH=${info.tools}:$PATH\n`,
    )
  },
  down: labDown,
  status: async () => {
    const status = await labStatus()
    process.stdout.write(`${JSON.stringify(status, undefined, 2)}\n`)
    process.exitCode = status.state === 'running' ? 0 : 6
  },
  info: async () => {
    process.stdout.write(`${JSON.stringify(await requireInfo())}\n`)
  },
  shell: async () => {
    const info = await requireInfo()
    const env = {
      ...process.env,
      KUBECONFIG: info.kubeconfig,
      KUBECACHEDIR: inState('home', 'kube-cache'),
      PATH: `${info.tools}:${systemPath}`,
    }
    process.exitCode = spawnSync(process.env.SHELL ?? '/bin/sh', { stdio: 'inherit', env }).status ?? 1
  },
}

function chosen(tools = ''): readonly ExtraSet[] | undefined {
  if (tools === 'all') return extraNames
  const names = tools.split(',').filter(Boolean)
  const known = extraNames.filter((name) => names.includes(name))
  return known.length === names.length ? known : undefined
}

/** Undefined when the command line is not one of the usage's. */
function parse(): (() => Promise<void>) | undefined {
  try {
    const { values, positionals } = parseArgs({ options: { tools: { type: 'string' } }, allowPositionals: true })
    const verb = verbs[positionals[0] ?? '']
    const extraTools = chosen(values.tools)
    const odd = positionals.length > 1 || (values.tools !== undefined && positionals[0] !== 'up')
    return verb === undefined || extraTools === undefined || odd ? undefined : () => verb(extraTools)
  } catch {
    return undefined
  }
}

const verb = parse()
if (verb === undefined) {
  process.stderr.write(`${usage}\ntools: ${extraNames.join(', ')}\n`)
  process.exitCode = 2
} else {
  await verb().catch((error: unknown) => {
    process.stderr.write(`Error: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
}
