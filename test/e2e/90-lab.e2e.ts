import { beforeAll, expect, test } from 'vitest'
import { processesInTree } from '../lab/cgroups.ts'
import { kubectlOk, lab } from './cluster.ts'
import { here, otherCheckout } from './lab/checkout.ts'
import { changes, type Traces, traces } from './lab/traces.ts'

/** Stops and kills the lab that all other suites stand on: therefore last, and only where minutes are given. */
const skipped = (): string | undefined => {
  if (lab === undefined) return 'needs the lab: it stops and kills it'
  return process.env.REGCTL_E2E_LONG === undefined ? 'takes minutes: npm run test:long -- 90-lab' : undefined
}

let without: Traces

function labTest(name: string, body: () => Promise<void>): void {
  test(name, { timeout: 300_000 }, async (context) => {
    context.skip(skipped() !== undefined, skipped())
    await body()
  })
}

async function down(): Promise<number> {
  const start = Date.now()
  const { exitCode, stderr } = await here.lab('down')
  expect(exitCode, stderr).toBe(0)
  return Date.now() - start
}

async function upAndWell(checkout = here): Promise<void> {
  const start = Date.now()
  const { exitCode, stderr, stdout } = await checkout.lab('up')
  expect(exitCode, `${stdout}${stderr}`).toBe(0)
  expect(Date.now() - start).toBeLessThan(60_000)
  const status = await checkout.lab('status')
  expect(status.exitCode, status.stdout).toBe(0)
}

beforeAll(async () => {
  if (skipped() !== undefined) return
  await down()
  without = await traces()
}, 60_000)

labTest('nothing of a lab is on the machine before it starts', async () => {
  const own = Object.values(without)
    .flat()
    .filter((one) =>
      /\/regctl-lab|regctl-lab-|regctl-lab0|\/kubelet|KUBE-|CNI-|\bcni0\b|172\.30\.0\.|10\.244\./.test(one),
    )
  // The cache is the one thing that stays, and that is not looked at.
  expect(own).toEqual([])
})

labTest('down takes at most 15 seconds and leaves nothing', async () => {
  await upAndWell()
  // A volume, a Service and host ports: each leaves marks of its own in a running lab.
  await kubectlOk([
    'create',
    'deployment',
    'left',
    '--image',
    lab?.images.toolbox ?? '',
    '--replicas=2',
    '-n',
    'default',
  ])
  await kubectlOk(['expose', 'deployment', 'left', '--port=80', '-n', 'default'])
  await kubectlOk(['rollout', 'status', 'deployment/left', '-n', 'default', '--timeout=60s'])
  const running = await traces()
  expect(changes(without, running).length).toBeGreaterThan(20)
  expect(await down()).toBeLessThan(15_000)
  expect(changes(without, await traces())).toEqual([])
  expect(processesInTree()).toEqual([])
})

labTest('up cleans up after one that was killed, at any step, and goes on', async () => {
  const steps = [
    ['Lay out network', 100],
    ['Start the control plane', 1500],
    ['Start the nodes', 1500],
    ['Install DNS', 3000],
  ] as const
  for (const [step, milliseconds] of steps) {
    const told = await here.killedUp(step, milliseconds)
    expect(told).toContain(step)
    expect(told).not.toContain('the lab is up')
    expect((await here.lab('status')).exitCode, step).toBe(6)
    expect((await here.lab('info')).exitCode, step).toBe(1)
  }
  await upAndWell()
})

labTest('down leaves nothing of an up that was killed', async () => {
  await down()
  await here.killedUp('Install DNS', 2000)
  expect(await down()).toBeLessThan(15_000)
  expect(changes(without, await traces())).toEqual([])
})

labTest('up starts anew where half of the daemons were killed, and finds a well one well', async () => {
  await upAndWell()
  const daemons = processesInTree().filter((_, index) => index % 2 === 0)
  for (const id of daemons) process.kill(id, 'SIGKILL')
  const unwell = await here.lab('status')
  expect(unwell.exitCode).toBe(6)
  expect(unwell.stdout).toMatch(/process \S+ is gone/)
  await upAndWell()
  const before = processesInTree()
  await upAndWell()
  expect(processesInTree()).toEqual(expect.arrayContaining(before.slice(0, 5)))
})

labTest("up replaces another checkout's lab, whole or killed, and gives it back", async () => {
  await using other = await otherCheckout()
  await upAndWell(other)
  await kubectlOk(['create', 'namespace', 'of-the-other'])
  await upAndWell()
  expect(await kubectlOk(['get', 'namespaces'])).not.toContain('of-the-other')
  await other.killedUp('Start the nodes', 500)
  await upAndWell()
})
