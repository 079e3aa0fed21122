import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureNamespaces } from './clients.ts'
import { eventually, kubectlOk, lab, regctl, regctlOk } from './cluster.ts'
import { type Foreground, foreground } from './forward/kit.ts'
import { images, upFlags } from './images.ts'
import { build as kanikoJob } from './kaniko.ts'
import { policiesChangedByUp } from './skaffold/order.ts'
import { skaffold } from './skaffold/programs.ts'
import { expectRunning, type SkaffoldProject, skaffoldProject } from './skaffold/project.ts'

const BUILDS = 'e2e-clusters'
const RUNS = 'e2e-clusters-run'
const POLICY = `regctl-context-first-${BUILDS}`
const KANIKO = ['--kaniko-image', images.kaniko, '--init-image', images.toolbox] as const
const WHERE = ['--builder', 'in-cluster', '--build-namespace', BUILDS, '--repository', 'clusters'] as const

let forward: Foreground
let project: SkaffoldProject

const init = (...args: readonly string[]) =>
  regctl(['skaffold-init', ...args], { cwd: project.directory, env: { HOME: project.home } })

async function initOk(...args: readonly string[]): Promise<void> {
  const { stdout, stderr, exitCode } = await init(...args)
  expect(exitCode, `${stdout}${stderr}`).toBe(0)
}

async function runs(...args: readonly string[]): Promise<void> {
  const ran = await skaffold(project, ['run', '-n', RUNS, ...args])
  expect(ran.exitCode, `${ran.stdout}${ran.stderr}`).toBe(0)
}

beforeAll(async () => {
  await regctlOk(['up', ...upFlags])
  if (lab === undefined) return
  await ensureNamespaces(BUILDS, RUNS)
  await regctlOk(['grant', BUILDS, 'clusters'])
  ;[forward, project] = await Promise.all([foreground(5000), skaffoldProject()])
})

afterAll(async () => {
  await Promise.all([forward, project].map((one) => one?.[Symbol.asyncDispose]()))
  await kubectlOk(['delete', 'namespace', BUILDS, RUNS, '--ignore-not-found', '--wait=false'])
})

test('without the policy stock Skaffold loses its context, and --check says so; up makes it again', async (context) => {
  context.skip(lab === undefined, 'needs the lab')
  await initOk(...WHERE, ...KANIKO, '--yes')
  await kubectlOk(['delete', 'mutatingadmissionpolicy,mutatingadmissionpolicybinding', POLICY])
  await eventually(async () => {
    const checked = await init(...WHERE, '--check')
    expect([checked.exitCode, checked.stdout]).toEqual([
      6,
      expect.stringContaining(`regctl grant ${BUILDS} REPOSITORY`),
    ])
  })
  // Skaffold 2.16.1 takes this for nobody's fault: its exit code is 0.
  const { stdout, stderr } = await skaffold(project, ['build', '-p', 'regctl'])
  expect(`${stdout}${stderr}`).toMatch(/Build \[(web|api)\] was canceled/)
  expect(await policiesChangedByUp()).toEqual([
    `MutatingAdmissionPolicy ${POLICY} created`,
    `MutatingAdmissionPolicyBinding ${POLICY} created`,
  ])
  await eventually(async () => expect((await init(...WHERE, '--check')).exitCode).toBe(0))
  await runs('-p', 'regctl')
  await expectRunning(RUNS, 'clusters', { web: '1', api: '1' })
}, 600_000)

test('in force always, with --activate: skaffold run without -p builds in the cluster', async (context) => {
  context.skip(lab === undefined, 'needs the lab')
  await project.change('web', 'always')
  await initOk(...WHERE, '--activate', '--yes')
  await runs()
  await expectRunning(RUNS, 'clusters', { web: 'always', api: '1' })
  await initOk('--undo', '--yes')
  await project.expectUntouched()
}, 240_000)

test("where istiod's native sidecars are off: the annotation, or regctl build", async (context) => {
  context.skip(lab === undefined, 'needs the lab')
  await using _off = await nativeSidecarsOff()
  const plain = await mkdtemp(join(tmpdir(), 'regctl-plain-'))
  try {
    const file = 'apiVersion: skaffold/v4beta13\nkind: Config\nbuild:\n  artifacts: [{image: app, kaniko: {}}]\n'
    await writeFile(join(plain, 'skaffold.yaml'), `${file}  cluster: {namespace: ${BUILDS}}\n`)
    const env = { HOME: plain, SKAFFOLD_DEFAULT_REPO: 'localhost:5000/clusters' }
    // The istiod that went may have been asked a last time.
    await eventually(async () => {
      const checked = await regctl(['skaffold-init', '--check'], { cwd: plain, env })
      expect([checked.exitCode, checked.stdout]).toEqual([6, expect.stringContaining('would never end')])
    })
  } finally {
    await rm(plain, { recursive: true, force: true })
  }
  const native = { 'sidecar.istio.io/nativeSidecar': 'true' }
  const job = await kanikoJob(BUILDS, 'annotated', 'localhost:5000/clusters/job:1', 'annotated', native)
  expect(job.succeeded, job.log).toBe(true)
  await project.change('api', 'annotated')
  await initOk(...WHERE, ...KANIKO, '--yes')
  await runs('-p', 'regctl')
  await expectRunning(RUNS, 'clusters', { web: 'always', api: 'annotated' })
  const files = join(project.directory, 'web')
  const image = ['-t', 'clusters/own:1', '--builder-image', images.kaniko]
  expect(await regctlOk(['build', files, ...image])).toMatch(/^sha256:[0-9a-f]{64}$/)
}, 600_000)

/** For the whole mesh, as its administrator would. */
async function nativeSidecarsOff(): Promise<AsyncDisposable> {
  const set = async (variable: string): Promise<void> => {
    await kubectlOk(['set', 'env', '-n', 'istio-system', 'deployment/istiod', variable])
    await kubectlOk(['rollout', 'status', '-n', 'istio-system', 'deployment/istiod', '--timeout=120s'])
  }
  await set('ENABLE_NATIVE_SIDECARS=false')
  return { [Symbol.asyncDispose]: () => set('ENABLE_NATIVE_SIDECARS-') }
}
