import { spawnSync } from 'node:child_process'
import { systemPath } from './command.ts'
import type { LabInfo } from './info.ts'
import { labDown, labInfo, labUp } from './lab.ts'
import { labStatus } from './status.ts'

const usage = 'usage: npm run lab -- up | down | status | info | shell'

async function requireInfo(): Promise<LabInfo> {
  const info = await labInfo()
  if (info === undefined) throw new Error('the lab is not up: npm run lab -- up')
  return info
}

const verbs: Readonly<Record<string, () => Promise<void>>> = {
  up: async () => {
    const started = Date.now()
    const info = await labUp()
    const seconds = Math.round((Date.now() - started) / 1000)
    process.stderr.write(`the lab is up (${seconds} s): export KUBECONFIG=${info.kubeconfig} PATH=${info.tools}:$PATH\n`)
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
    const env = { ...process.env, KUBECONFIG: info.kubeconfig, PATH: `${info.tools}:${systemPath}` }
    process.exitCode = spawnSync(process.env['SHELL'] ?? '/bin/sh', { stdio: 'inherit', env }).status ?? 1
  },
}

const verb = verbs[process.argv[2] ?? '']
if (verb === undefined) {
  process.stderr.write(`${usage}\n`)
  process.exitCode = 2
} else {
  await verb().catch((error: unknown) => {
    process.stderr.write(`Error: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  })
}
