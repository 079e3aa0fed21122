import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { remove } from './attacks/kit.ts'
import { ensureNamespaces } from './clients.ts'
import { applyText, kubectl, kubectlOk, lab, type Run, regctl, regctlOk } from './cluster.ts'
import { startBuildkit } from './forward/buildkit.ts'
import { startDocker } from './forward/docker.ts'
import { type Foreground, foreground } from './forward/kit.ts'
import { type Podman, podmanClient } from './forward/podman.ts'
import { buildkitImage, images, upFlags } from './images.ts'
import * as buildx from './matrix/buildx.ts'
import { cell, tableCheck } from './matrix/cells.ts'
import { inWorkshop, pulls, workshop } from './matrix/pods.ts'
import { skaffoldBuild } from './matrix/skaffold.ts'
import {
  craneScript,
  digestOf,
  output,
  type Project,
  project,
  RUN_DOCKERFILE,
  succeed,
  withEnvironment,
} from './matrix/workstation.ts'

const BUILDERS = 'e2e-clients'
const RUNNERS = 'e2e-clients-run'
const REPOSITORY = 'clients'
const imageOf = (name: string): string => `localhost:5000/${REPOSITORY}/${name}:1`

let forward: Foreground
let files: Project
let podman: Podman
/** podman's try before it has its file. */
let unconfigured: Run

beforeAll(async () => {
  await regctlOk(['up', ...upFlags])
  await ensureNamespaces(BUILDERS, RUNNERS)
  if (lab === undefined) return
  await regctlOk(['grant', BUILDERS, REPOSITORY])
  ;[forward, files, podman] = await Promise.all([foreground(5000), project(), podmanClient()])
  await Promise.all([workshop(BUILDERS, 'workshop'), succeed(['sh', '-ec', craneScript(files.layer, imageOf('base'))])])
  unconfigured = await podman.run(['podman', 'pull', imageOf('base')])
  await regctlOk(['config', 'podman'], { env: { HOME: podman.home } })
})

afterAll(async () => {
  await forward?.[Symbol.asyncDispose]()
  await Promise.all([files?.[Symbol.asyncDispose](), podman?.[Symbol.asyncDispose]()])
  await kubectlOk(['delete', 'namespace', BUILDERS, RUNNERS, '--ignore-not-found', '--wait=false'])
})

/** The three cells of a client: what it pushes from here, what it pushes from a pod, and that a node runs the first of them. */
function client(
  name: string,
  {
    here,
    there,
  }: { readonly here?: (image: string) => Promise<string>; readonly there?: (image: string) => Promise<string> },
): void {
  describe(name, () => {
    const pushed = Promise.withResolvers<string>()
    // Whoever waits for it hears of a failure; a cell that is skipped has nobody who does.
    pushed.promise.catch(() => {})
    const push = async (pushing: Promise<string>): Promise<void> => {
      pushing.then(pushed.resolve, pushed.reject)
      await pushing
    }
    if (here !== undefined) cell(name, 'push from the workstation', () => push(here(imageOf(name.toLowerCase()))))
    if (there !== undefined) cell(name, 'push from a pod', () => push(there(imageOf(`${name.toLowerCase()}-pod`))))
    cell(name, 'pulled by the kubelet', async () => pulls(RUNNERS, name.toLowerCase(), await pushed.promise))
  })
}

/** By digest, as it is in the registry now. */
const stored = async (image: string): Promise<string> =>
  `${image.slice(0, image.lastIndexOf(':'))}@${await digestOf(image)}`

const inPod = async (argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> =>
  output(argv, await inWorkshop(BUILDERS, 'workshop', argv, env))

/** podman and buildah alike: a build without containers, and a push. */
const containersTools = (tool: 'podman' | 'buildah') => ({
  async here(image: string) {
    output([tool], await podman.run([tool, 'build', '--isolation=chroot', '-t', image, files.context]))
    output([tool], await podman.run([tool, 'push', image]))
    return stored(image)
  },
  async there(image: string) {
    for (const args of [
      ['build', '--isolation=chroot', '-t', image, files.context],
      ['push', image],
    ]) {
      const { argv, env } = podman.command([tool, ...args])
      await inPod(argv, env)
    }
    return stored(image)
  },
})

const koEnvironment = () => ({
  ...{ KO_DEFAULTBASEIMAGE: imageOf('base'), GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local', CGO_ENABLED: '0' },
  HOME: process.env.HOME ?? '/root',
})
const koScript = () => `cd ${files.program}\nko build --bare --sbom=none --platform=linux/amd64 .`

describe.concurrent('clients', () => {
  client('crane', {
    async here(image) {
      await succeed(['sh', '-ec', craneScript(files.layer, image)])
      return stored(image)
    },
    async there(image) {
      await inPod(['sh', '-ec', craneScript(files.layer, image)])
      return stored(image)
    },
  })

  client('ko', {
    async here() {
      return (await withEnvironment(`${REPOSITORY}/ko`, koScript(), { env: koEnvironment() })).trim()
    },
    async there(image) {
      const KO_DOCKER_REPO = image.slice(0, image.lastIndexOf(':'))
      return (await inPod(['sh', '-ec', koScript()], { ...koEnvironment(), KO_DOCKER_REPO })).trim()
    },
  })

  client('podman', containersTools('podman'))
  client('buildah', containersTools('buildah'))

  client('docker', {
    async here(image) {
      await using docker = await startDocker()
      output(['docker'], await docker.run(['build', '-t', image, files.context], { env: { DOCKER_BUILDKIT: '0' } }))
      output(['docker'], await docker.run(['push', image]))
      return stored(image)
    },
  })

  client('buildx', {
    async here(image) {
      await buildx.pushHere(files, image)
      return stored(image)
    },
    async there(image) {
      await buildx.pushThere(files, BUILDERS, image)
      return stored(image)
    },
  })

  client('BuildKit', {
    async here(image) {
      await using buildkit = await startBuildkit()
      const context = ['--local', `context=${files.context}`, '--local', `dockerfile=${files.context}`]
      const to = ['--output', `type=image,name=${image},push=true`]
      output(['buildctl'], await buildkit.run(['build', '--frontend', 'dockerfile.v0', ...context, ...to]))
      return stored(image)
    },
    async there(image) {
      const how = ['--builder', 'buildkit', '--builder-image', await buildkitImage('rootless')]
      const digest = await regctlOk([
        'build',
        files.context,
        '-f',
        join(files.context, RUN_DOCKERFILE),
        '-t',
        image,
        ...how,
      ])
      return `${image.slice(0, image.lastIndexOf(':'))}@${digest}`
    },
  })

  test.for([
    ['local', { push: true }],
    ['cluster', { namespace: BUILDERS }],
  ] as const)(
    'stock Skaffold with regctl build as custom builder, under build.%s',
    async ([builder, settings], context) => {
      context.skip(lab === undefined, 'needs the lab')
      const name = `skaffold-${builder}`
      const { digest, log } = await skaffoldBuild(files, `localhost:5000/${REPOSITORY}`, name, { [builder]: settings })
      expect(log).toContain(`Pushed localhost:5000/${REPOSITORY}/${name}:latest as default of ${BUILDERS}`)
      expect(digest).toBe(await digestOf(`localhost:5000/${REPOSITORY}/${name}:latest`))
    },
  )

  client('Kaniko', {
    async there(image) {
      const how = ['-f', join(files.context, RUN_DOCKERFILE), '--builder-image', images.kaniko]
      const digest = await regctlOk(['build', files.context, '-t', image, ...how])
      return `${image.slice(0, image.lastIndexOf(':'))}@${digest}`
    },
  })
})

test('what a pod pushes, it pushes by its identity', async (context) => {
  context.skip(lab === undefined, 'needs the lab')
  const script = craneScript(files.layer, 'localhost:5000/stranger/app:1')
  const { exitCode, stderr } = await inWorkshop(BUILDERS, 'workshop', ['sh', '-ec', script])
  expect(exitCode).not.toBe(0)
  expect(stderr).toContain(`spiffe://cluster.local/ns/${BUILDERS}/sa/default may not POST`)
})

describe('config podman', () => {
  test('is needed, changes nothing a second time, and leaves what is not its own', async (context) => {
    context.skip(lab === undefined, 'needs the lab')
    expect(unconfigured.exitCode).not.toBe(0)
    expect(unconfigured.stderr).toMatch(/https/i)
    const env = { HOME: podman.home }
    expect(JSON.parse(await regctlOk(['config', 'podman', '--json'], { env }))).toMatchObject({ changed: false })
    const directory = await mkdtemp(join(tmpdir(), 'regctl-config-'))
    try {
      const { path } = JSON.parse(await regctlOk(['config', 'buildah', '--json'], { env: { HOME: directory } }))
      await appendFile(path, '# mine\n')
      expect((await regctl(['config', 'podman', '--undo'], { env: { HOME: directory } })).exitCode).toBe(4)
      expect(await readFile(path, 'utf8')).toContain('# mine')
      await writeFile(path, `${await regctlOk(['config', 'podman', '--print', '--port', '5001'])}\n`)
      await regctlOk(['config', 'podman', '--undo'], { env: { HOME: directory } })
      await expect(readFile(path, 'utf8')).rejects.toThrow('ENOENT')
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})

describe('env', () => {
  test('for programs, with the granted repository', async () => {
    const { variables } = JSON.parse(await regctlOk(['env', '--json', '--repository', REPOSITORY]))
    expect(variables).toMatchObject({ KO_DOCKER_REPO: 'localhost:5000/clients', REGCTL_REGISTRY: 'localhost:5000' })
  })
})

describe('up --publish-local-registry', () => {
  const at = ['configmap', '-n', 'kube-public', 'local-registry-hosting']

  test("is refused while another tool's is there, then told, then taken away", async () => {
    const data = { 'localRegistryHosting.v1': 'host: "localhost:5001"\n' }
    const metadata = { namespace: 'kube-public', name: 'local-registry-hosting' }
    await applyText(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }))
    const refused = await regctl(['up', '--publish-local-registry'])
    expect(refused.exitCode).toBe(4)
    expect(refused.stderr).toContain('ConfigMap kube-public/local-registry-hosting')
    await remove('configmap', [metadata.name], '-n', metadata.namespace)
    await regctlOk(['up', '--publish-local-registry'])
    const { data: told } = JSON.parse(await kubectlOk(['get', ...at, '-o', 'json']))
    expect(JSON.parse(told['localRegistryHosting.v1'])).toEqual({ host: 'localhost:5000' })
    expect(JSON.parse(await regctlOk(['up', '--json']))).toMatchObject({ changed: [], removed: [] })
    await regctlOk(['up', '--no-publish-local-registry'])
    expect((await kubectl(['get', ...at])).exitCode).toBe(1)
  })
})

test('the page says what was found', async (context) => {
  context.skip(lab === undefined, 'needs the lab')
  const { differences, write } = await tableCheck()
  if (process.env.REGCTL_E2E_WRITE !== undefined) await write()
  else expect(differences).toEqual([])
})
