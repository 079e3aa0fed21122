import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PROXY_IMAGE } from '../../src/domain/forward/container.ts'
import { eventually, isLongRun, kubectlOk, lab, longRunsOnly, slow } from './cluster.ts'
import { developerOf } from './developers/stage.ts'
import { type Cases, conformance, differences } from './forward/conformance.ts'
import { kubeconfigOf } from './forward/developer.ts'
import type { Docker } from './forward/docker.ts'
import { guideBlocks, saying, typed } from './forward/guide.ts'
import { type Foreground, foreground, layer, ready, reportOf, slowUpload, validUntil } from './forward/kit.ts'
import { onRegistry } from './forward/loopback.ts'
import { MODES, serveBy } from './forward/modes.ts'
import { type ProxyEngine, proxyEngine } from './forward/proxy-engine.ts'

const TEAM = 'e2e-conformance'
const PORT = 5120
const RENEWING = 5129

let directory: string
let ada: string
let engine: ProxyEngine
let renewing: Foreground
let firstUntil: string | undefined
let upload: Promise<number>

/** Fresh ones for each run: what the suite finds there counts. */
const repositories = (name: string) => [`team/${name}-one`, `team/${name}-two`] as const

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regctl-conformance-'))
  ;[engine] = await Promise.all([proxyEngine(), developerOf(TEAM)])
  ada = await kubeconfigOf(directory, 'ada@example.org', TEAM)
  // Beside all that follows, and slower than its renewal comes: 24 seconds.
  renewing = await foreground(RENEWING, '--mode', 'mesh', '--certificate-lifetime', '1m', '--kubeconfig', ada)
  firstUntil = validUntil(await reportOf(RENEWING))
  upload = slowUpload(RENEWING, 'team/slow', 28)
  upload.catch(() => {})
})

afterAll(async () => {
  await renewing?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM])
  await rm(directory, { recursive: true, force: true })
})

/** Cases that fail where policies decide, each with the policy that refuses it. */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/\/(tag|manifest|blob)-delete( \(\d+\))?: passed, now failure$/, 'DENY fence: nobody deletes'],
]

describe.concurrent('the OCI conformance suite', () => {
  let own: Promise<Cases> | undefined
  beforeAll(() => {
    if (isLongRun) own = lab && onRegistry().then((prefix) => conformance(5000, repositories('own'), prefix))
    own?.catch(() => {})
  })

  const ports = MODES.map((mode, index) => ({ ...mode, port: PORT + 1 + index }))
  test.for(ports)("by $name: the same cases as by the registry's own loopback", async (mode, { skip, expect }) => {
    longRunsOnly({ skip })
    if (own === undefined) return skip("needs the lab: the registry's own loopback is what it is held against")
    await using _forward = await serveBy(engine, mode, mode.port, ada)
    const repository = mode.name.replaceAll(/\W+/g, '-').toLowerCase()
    const found = await conformance(mode.port, repositories(repository))
    const others = differences(await own, found)
    const refused = others.filter((one) => mode.policed && REFUSED.some(([pattern]) => pattern.test(one)))
    expect(others.filter((one) => !refused.includes(one))).toEqual([])
    // A policy that refused nothing would be none.
    expect(refused.length > 0).toBe(mode.policed)
  })
})

describe('docker', () => {
  let docker: Docker
  let files: string
  beforeAll(async () => {
    docker = engine.docker
    files = await layer(directory, 10)
  })

  test.each(MODES)('pushes and pulls by $name', async (mode) => {
    const image = `localhost:${PORT}/team/docker:1`
    const run = async (...argv: readonly string[]) => {
      const { exitCode, stdout, stderr } = await docker.run(argv)
      return { exitCode, said: `${stdout}${stderr}` }
    }
    const done = { exitCode: 0, said: expect.anything() }
    expect(await run('import', files, image)).toEqual(done)
    await using _forward = await serveBy(engine, mode, PORT, ada)
    expect(await run('push', image)).toEqual(done)
    await run('rmi', image)
    expect(await run('pull', image)).toEqual(done)
    if (!mode.policed) return
    const other = `localhost:${PORT}/other/docker:1`
    await run('tag', image, other)
    expect(await run('push', other)).toEqual({ exitCode: 1, said: expect.stringMatching(/denied.*regctl grant/is) })
  })

  describe("the guide's lines, as they stand", () => {
    const own = () => ({
      DOCKER_HOST: docker.host,
      PATH: `${docker.path}:${process.env.PATH}`,
      XDG_STATE_HOME: directory,
    })
    const done = async (line: string, env: Readonly<Record<string, string>>) => {
      await using run = typed(line, env)
      expect(await run.ended, `${line}: ${run.said()}`).toBe(0)
    }
    let blocks: readonly (readonly string[])[]
    beforeAll(async () => {
      blocks = await guideBlocks("On the developer's machine")
      expect(blocks.map(({ length }) => length)).toEqual([3, 3])
    })

    slow('until Ctrl-C, with a command, in the background', async () => {
      const [[serves = '', pushes = '', detaches = ''] = []] = blocks
      await docker.run(['import', files, 'localhost:5000/example/app'])
      {
        await using _forward = typed(serves, own())
        await ready(5000)
      }
      await done(pushes, own())
      await done(detaches, own())
      expect(await reportOf(5000)).toMatchObject({ state: 'ready' })
      await done('regctl dev-forward --stop', own())
      expect(await reportOf(5000)).toBeUndefined()
    })

    test("in proxy mode, with Envoy's log and figures", async () => {
      const [, [serves = '', log = '', figures = ''] = []] = blocks
      await docker.run(['tag', engine.flags.at(-1) ?? '', PROXY_IMAGE])
      const env = { ...own(), KUBECONFIG: ada, XDG_RUNTIME_DIR: directory }
      await using _forward = typed(serves, env)
      await ready(5000)
      await using lines = typed(log, env)
      await fetch('http://localhost:5000/v2/team/guide/tags/list')
      await saying(lines, /GET \/v2\/team\/guide\/tags\/list/)
      await using told = typed(figures, env)
      expect([await told.ended, told.said()]).toEqual([0, expect.stringContaining('cluster.registry.')])
    })
  })
})

test('a short certificate was renewed meanwhile, under a running transfer', async () => {
  await eventually(async () => expect(validUntil(await ready(RENEWING))).not.toBe(firstUntil), { timeout: 40_000 })
  expect(await upload).toBe(201)
  expect(await ready(RENEWING)).toMatchObject({ pid: renewing.pid, connections: { failed: 0 } })
})
