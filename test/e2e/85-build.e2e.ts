import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, pod, ready } from './attacks/kit.ts'
import { classicSidecars } from './build/classic.ts'
import { expectNothingLeft, kubeconfigOf, running } from './build/kit.ts'
import { ensureNamespaces } from './clients.ts'
import { kubectlOk, regctl, regctlOk } from './cluster.ts'
import { buildkitImage, images, upFlags } from './images.ts'
import { build as kanikoJob } from './kaniko.ts'

const BUILDS = 'e2e-build'
const SLOW = 'e2e-build-slow'
const CLASSIC = 'e2e-build-classic'
/** The stage after the wanted one cannot be built. */
const STAGED =
  'FROM scratch AS wanted\nARG VERSION\nLABEL version=$VERSION\nCOPY files /\nFROM scratch\nCOPY nothing /\n'
const DIGEST = /^sha256:[0-9a-f]{64}$/

let directory: string
let context: string

const build = (...args: readonly string[]) => regctl(['build', '--builder-image', images.kaniko, ...args])

beforeAll(async () => {
  await regctlOk(['up', ...upFlags])
  directory = await mkdtemp(join(tmpdir(), 'regctl-build-'))
  context = join(directory, 'context')
  await mkdir(join(context, 'files', 'lost'), { recursive: true })
  await writeFile(join(context, '.dockerignore'), '**/lost\n*.log\n')
  await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nARG VERSION\nLABEL version=$VERSION\nCOPY files /\n')
  await writeFile(join(context, 'staged.Dockerfile'), STAGED)
  await writeFile(join(context, 'bad.Dockerfile'), 'FROM scratch\nCOPY nothing /\n')
  await writeFile(join(context, 'files', 'run.sh'), '#!/bin/sh\n')
  await chmod(join(context, 'files', 'run.sh'), 0o755)
  await writeFile(join(context, 'files', 'lost', 'secret'), 'secret')
  await symlink('run.sh', join(context, 'files', 'link'))
  await ensureNamespaces(BUILDS, CLASSIC, SLOW)
  await regctlOk(['grant', BUILDS, 'built'])
  await regctlOk(['grant', CLASSIC, 'classic'])
  await regctlOk(['grant', SLOW, 'slow'])
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
  await kubectlOk(['delete', 'namespace', BUILDS, CLASSIC, SLOW, '--ignore-not-found', '--wait=false'])
})

/** Skaffold's Kaniko pods there: as they are they would never end, and with what skaffold-init adds they do. */
async function checkedOnClassic(): Promise<void> {
  const project = join(directory, 'classic')
  await mkdir(project)
  const text = 'apiVersion: skaffold/v4beta13\nkind: Config\nbuild:\n  artifacts:\n  - image: app\n    kaniko: {}\n'
  await writeFile(join(project, 'skaffold.yaml'), `${text}  cluster: {namespace: ${CLASSIC}}\n`)
  const env = { HOME: project, SKAFFOLD_DEFAULT_REPO: 'localhost:5000/classic' }
  const check = () => regctl(['skaffold-init', '--check', '--json'], { cwd: project, env })
  const plain = await check()
  expect(plain.exitCode, plain.stderr).toBe(6)
  expect(JSON.parse(plain.stdout).problems).toEqual([
    expect.objectContaining({
      what: expect.stringContaining('would never end'),
      fix: expect.stringContaining('sidecar.istio.io/nativeSidecar: "true"'),
    }),
  ])
  await regctlOk(['skaffold-init', '--repository', 'classic', '--yes'], { cwd: project, env })
  const annotated = await check()
  expect(annotated.exitCode, annotated.stdout).toBe(0)
}

describe.concurrent('builds', () => {
  describe('by Kaniko', () => {
    test('builds what the context holds and prints the digest alone on stdout', async () => {
      const { stdout, stderr, exitCode } = await build(
        ...[context, '-t', 'built/app:1', '--build-arg', 'VERSION=7', '--platform', 'linux/arm64'],
        ...['-f', join(context, 'staged.Dockerfile'), '--target', 'wanted'],
      )
      expect(exitCode, stderr).toBe(0)
      expect(stdout).toMatch(DIGEST)
      expect(stderr).toContain('COPY files /')
      expect(stderr).toContain(`Pushed localhost:5000/built/app:1 as default of ${BUILDS}`)
      await apply(pod(BUILDS, 'reader'))
      await ready(BUILDS, 'reader')
      const inPod = (script: string) =>
        kubectlOk(['exec', '-n', BUILDS, 'reader', '-c', 'main', '--', 'sh', '-c', script])
      expect(await inPod('crane digest localhost:5000/built/app:1')).toBe(stdout)
      const files = await inPod('crane export localhost:5000/built/app:1 - | tar -tvf -')
      expect(files).toMatch(/^-rwxr-xr-x .* run\.sh$/m)
      expect(files).toMatch(/^l.* link -> run\.sh$/m)
      expect(files).not.toContain('lost')
      const { architecture, config } = JSON.parse(await inPod('crane config localhost:5000/built/app:1'))
      expect([architecture, config.Labels]).toEqual(['arm64', { version: '7' }])
    })

    test('as a builder of Skaffold it goes by the environment', async () => {
      const env = { IMAGE: 'localhost:5000/built/skaffold:2', PUSH_IMAGE: 'true', BUILD_CONTEXT: context }
      const { stdout, stderr, exitCode } = await regctl(['build', '--json', '--builder-image', images.kaniko], { env })
      expect(exitCode, stderr).toBe(0)
      expect(JSON.parse(stdout)).toEqual({
        image: 'localhost:5000/built/skaffold:2',
        digest: expect.stringMatching(DIGEST),
        namespace: BUILDS,
        serviceAccount: 'default',
        builder: 'kaniko',
      })
      const unpushed = await regctl(['build'], { env: { ...env, PUSH_IMAGE: 'false' } })
      expect([unpushed.exitCode, unpushed.stderr]).toEqual([3, expect.stringContaining('can only be pushed')])
    })

    test('a repository without a grant: nothing is started, and the grant command is named', async () => {
      const { stdout, stderr, exitCode } = await build(context, '-t', 'stranger/app:1', '--build-namespace', BUILDS)
      expect([stdout, exitCode]).toEqual(['', 3])
      expect(stderr).toContain(`namespace "${BUILDS}" may not push stranger/app`)
      expect(stderr).toContain(`regctl grant ${BUILDS} stranger`)
      expect(stderr).not.toContain('Start the build')
    })

    test('who may build but not read the grants gets the refusal of the registry, with the grant command', async () => {
      const kubeconfig = await kubeconfigOf(directory, BUILDS, 'developer')
      const args = ['--kubeconfig', kubeconfig, '--build-namespace', BUILDS]
      const allowed = await build(context, '-t', 'built/developer:1', ...args)
      expect(allowed.exitCode, allowed.stderr).toBe(0)
      const refused = await build(context, '-t', 'stranger/app:1', ...args)
      expect([refused.stdout, refused.exitCode]).toEqual(['', 5])
      expect(refused.stderr).toContain('BUILD_FAILED')
      expect(refused.stderr).toContain(`regctl grant ${BUILDS} stranger`)
    })

    test('a build that fails tells why and leaves nothing', async () => {
      const file = join(context, 'bad.Dockerfile')
      const { stdout, stderr, exitCode } = await build(context, '-t', 'built/bad:1', '-f', file)
      expect([stdout, exitCode], stderr).toEqual(['', 5])
      expect(stderr).toMatch(/Error: the build in namespace e2e-build failed: .*nothing/)
    })

    test('an image of the builder that does not come is said', async () => {
      const missing = ['--builder-image', 'localhost:5000/built/no-such-builder:1']
      const { stderr, exitCode } = await regctl(['build', context, '-t', 'built/app:2', ...missing])
      expect(exitCode).toBe(5)
      expect(stderr).toContain('no-such-builder')
    })

    test('Ctrl-C removes the pod', async () => {
      // A context that never ends, so that the build is in the middle of it.
      const slow = join(directory, 'slow')
      await mkdir(slow)
      await writeFile(join(slow, 'Dockerfile'), 'FROM scratch\nCOPY . /\n')
      await writeFile(join(slow, 'large'), Buffer.alloc(300_000_000, 'x'))
      const args = ['build', slow, '-t', 'slow/app:1', '--builder-image', images.kaniko]
      const child = spawn(process.env.REGCTL_BIN ?? '', args, { stdio: ['ignore', 'pipe', 'pipe'] })
      const said = await running(child)
      child.kill('SIGINT')
      const [code] = await once(child, 'exit')
      expect(code, said()).toBe(130)
      await expectNothingLeft(SLOW)
    })

    test('a classic sidecar, which nothing stops, goes with its pod when the build is over', async () => {
      await using _policy = await classicSidecars(CLASSIC)
      const { notes } = JSON.parse(await regctlOk(['env', '--json', '--repository', 'classic']))
      expect(notes).toContainEqual({
        client: `Jobs in ${CLASSIC}`,
        needs: expect.stringContaining('sidecar.istio.io/nativeSidecar: "true"'),
        ran: true,
      })
      const { stdout, stderr, exitCode } = await build(context, '-t', 'classic/app:1')
      expect(exitCode, stderr).toBe(0)
      expect(stdout).toMatch(DIGEST)
      await expectNothingLeft(CLASSIC)
      const native = { 'sidecar.istio.io/nativeSidecar': 'true' }
      const job = await kanikoJob(CLASSIC, 'annotated', 'localhost:5000/classic/job:1', 'annotated', native)
      expect(job.succeeded, job.log).toBe(true)
      await checkedOnClassic()
    })
  })

  describe('by BuildKit', () => {
    const rootless = async (...args: readonly string[]) =>
      regctl(['build', '--builder', 'buildkit', '--builder-image', await buildkitImage('rootless'), ...args])
    const privileged = async (...args: readonly string[]) => {
      const image = ['--privileged', '--builder-image', await buildkitImage('root')]
      return regctl(['build', '--builder', 'buildkit', ...image, ...args])
    }

    test('rootless builds what the context holds, by a Dockerfile from elsewhere', async () => {
      const file = join(directory, 'elsewhere.Dockerfile')
      await writeFile(file, STAGED)
      await writeFile(`${file}.dockerignore`, 'files/link\n**/lost\n')
      const { stdout, stderr, exitCode } = await rootless(
        ...[context, '-t', 'built/buildkit:1', '-f', file, '--build-arg', 'VERSION=8', '--platform', 'linux/arm64'],
        ...['--target', 'wanted'],
      )
      expect(exitCode, stderr).toBe(0)
      expect(stdout).toMatch(DIGEST)
      await apply(pod(BUILDS, 'second'))
      await ready(BUILDS, 'second')
      const script =
        'crane digest localhost:5000/built/buildkit:1; crane config localhost:5000/built/buildkit:1; echo; crane export localhost:5000/built/buildkit:1 - | tar -tf -'
      const read = await kubectlOk(['exec', '-n', BUILDS, 'second', '-c', 'main', '--', 'sh', '-c', script])
      const [digest, config = '', ...listed] = read.split('\n')
      expect([digest, JSON.parse(config).architecture, listed]).toEqual([stdout, 'arm64', ['run.sh']])
    })

    test('privileged builds too', async () => {
      const { stdout, stderr, exitCode } = await privileged(context, '-t', 'built/privileged:1')
      expect(exitCode, stderr).toBe(0)
      expect(stdout).toMatch(DIGEST)
    })

    test('a build that fails tells why', async () => {
      const { stdout, stderr, exitCode } = await rootless(
        context,
        '-t',
        'built/bad:1',
        '-f',
        join(context, 'bad.Dockerfile'),
      )
      expect([stdout, exitCode], stderr).toEqual(['', 5])
      expect(stderr).toMatch(/Error: the build in namespace e2e-build failed: .*nothing/)
    })
  })
})

test('nothing of all that is left', async () => {
  await expectNothingLeft(BUILDS)
})
