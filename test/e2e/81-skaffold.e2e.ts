import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ensureNamespaces } from './clients.ts'
import { eventually, kubectlOk, lab, regctl, regctlOk } from './cluster.ts'
import { type Docker, startDocker } from './forward/docker.ts'
import { type Foreground, foreground } from './forward/kit.ts'
import { images, upFlags } from './images.ts'
import { type Identities, identities } from './skaffold/identities.ts'
import { orderIn, policiesChangedByUp, policiesOf } from './skaffold/order.ts'
import { skaffold, skaffoldDev } from './skaffold/programs.ts'
import { ARTIFACTS, expectRunning, type SkaffoldProject, skaffoldProject } from './skaffold/project.ts'

const BUILDS = 'e2e-skaffold'
const LOCAL = 'e2e-skaffold-local'
const ORDER = 'e2e-skaffold-order'
const RUNS = { local: 'e2e-skaffold-run', cluster: 'e2e-skaffold-run-c' } as const
const KANIKO = ['--kaniko-image', images.kaniko, '--init-image', images.toolbox] as const
const IN_CLUSTER = ['--builder', 'in-cluster', '--build-namespace', BUILDS] as const

let forward: Foreground
let docker: Docker
let seen: Identities

beforeAll(async () => {
  await regctlOk(['up', ...upFlags])
  await ensureNamespaces(ORDER)
  if (lab === undefined) return
  await ensureNamespaces(BUILDS, LOCAL, ...Object.values(RUNS))
  await regctlOk(['grant', BUILDS, 'shop'])
  await regctlOk(['grant', LOCAL, 'shop-local'])
  ;[forward, docker, seen] = await Promise.all([foreground(5000), startDocker(), identities()])
})

afterAll(async () => {
  await Promise.all([forward, docker, seen].map((one) => one?.[Symbol.asyncDispose]()))
  const names = [BUILDS, LOCAL, ORDER, ...Object.values(RUNS)]
  await kubectlOk(['delete', 'namespace', ...names, '--ignore-not-found', '--wait=false'])
})

const init = ({ directory, home }: SkaffoldProject, ...args: readonly string[]) =>
  regctl(['skaffold-init', ...args], { cwd: directory, env: { HOME: home } })

async function initOk(project: SkaffoldProject, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await init(project, ...args)
  expect(exitCode, `${stdout}${stderr}`).toBe(0)
  return stdout
}

describe.concurrent('stock Skaffold on a project of two artifacts, by Helm and by raw manifests', () => {
  test('built by Kaniko in the cluster: run, dev with a change, and back', async (context) => {
    context.skip(lab === undefined, 'needs the lab')
    await using project = await skaffoldProject()
    await initOk(project, ...IN_CLUSTER, ...KANIKO, '--repository', 'shop', '--yes')
    expect(await initOk(project, ...IN_CLUSTER, '--check')).toMatch(
      /Skaffold works here\.\n.*is put first by MutatingAdmissionPolicy/,
    )
    const where = ['-p', 'regctl', '-n', RUNS.cluster]
    const ran = await skaffold(project, ['run', ...where])
    expect(ran.exitCode, `${ran.stdout}${ran.stderr}`).toBe(0)
    await expectRunning(RUNS.cluster, 'shop', { web: '1', api: '1' })
    {
      await using dev = await skaffoldDev(project, where)
      await dev.watching()
      await project.change('api', '2')
      await expectRunning(RUNS.cluster, 'shop', { web: '1', api: '2' }, 90_000)
    }
    for (const artifact of ARTIFACTS)
      await seen.expectPushedBy(`shop/${artifact}`, `spiffe://cluster.local/ns/${BUILDS}/sa/default`)
    await initOk(project, '--undo', '--yes')
    await project.expectUntouched()
  }, 240_000)

  test('built by the Docker daemon here: run, dev with a change, and back', async (context) => {
    context.skip(lab === undefined, 'needs the lab')
    await using project = await skaffoldProject()
    await initOk(project, '--builder', 'local', '--repository', 'shop-local', '--yes')
    expect(await initOk(project, '--check')).toContain('Skaffold works here.')
    const env = { DOCKER_HOST: docker.host }
    const ran = await skaffold(project, ['run', '-n', RUNS.local], env)
    expect(ran.exitCode, `${ran.stdout}${ran.stderr}`).toBe(0)
    await expectRunning(RUNS.local, 'shop-local', { web: '1', api: '1' })
    {
      await using dev = await skaffoldDev(project, ['-n', RUNS.local], env)
      await dev.watching()
      await project.change('web', '2')
      await expectRunning(RUNS.local, 'shop-local', { web: '2', api: '1' }, 90_000)
    }
    await initOk(project, '--undo', '--yes')
    await project.expectUntouched()
  }, 240_000)

  test('a repository nobody granted: --check and the build itself name the command', async (context) => {
    context.skip(lab === undefined, 'needs the lab')
    await using project = await skaffoldProject()
    await initOk(project, ...IN_CLUSTER, ...KANIKO, '--repository', 'stranger', '--yes')
    const checked = await init(project, ...IN_CLUSTER, '--check')
    expect([checked.exitCode, checked.stdout]).toEqual([6, expect.stringContaining(`regctl grant ${BUILDS} stranger`)])
    const { exitCode, stdout, stderr } = await skaffold(project, ['build', '-p', 'regctl'])
    expect(exitCode).not.toBe(0)
    expect(`${stdout}${stderr}`).toMatch(/DENIED: spiffe:.*\/ns\/e2e-skaffold\/sa\/default may not POST.*regctl grant/)
  }, 240_000)
})

test('the order of init containers is changed in granted namespaces alone, and goes with the last grant', async () => {
  const before = await orderIn(ORDER)
  expect(before.at(-1)).toBe('kaniko-init-container')
  const changed = [...before.slice(-1), ...before.slice(0, -1)]
  const becomes = (order: readonly string[]) =>
    eventually(async () => expect(await orderIn(ORDER)).toEqual(order), { timeout: 20_000 })
  await regctlOk(['grant', ORDER, 'order'])
  await becomes(changed)
  expect(await orderIn('default')).toEqual(before)
  expect(await policiesChangedByUp()).toEqual([])
  await regctlOk(['revoke', ORDER, 'order'])
  await becomes(before)
  expect(await policiesOf(ORDER)).toEqual([])
  await regctlOk(['grant', ORDER, 'order'])
  expect(await policiesOf(ORDER)).toHaveLength(2)
  await kubectlOk(['delete', 'namespace', ORDER])
  await eventually(async () => expect(await policiesOf(ORDER)).toEqual([]), { timeout: 20_000 })
})
