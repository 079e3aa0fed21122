import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PROXY_IMAGE } from '../../src/domain/forward/container.ts'
import { kubectlOk, lab, labOnly } from './cluster.ts'
import { developerOf } from './developers/stage.ts'
import { type Cases, conformance, differences } from './forward/conformance.ts'
import { kubeconfigOf } from './forward/developer.ts'
import { type Docker, startDocker } from './forward/docker.ts'
import { guideBlocks, saying, typed } from './forward/guide.ts'
import { layer, ready, reportOf } from './forward/kit.ts'
import { onRegistry } from './forward/loopback.ts'
import { MODES, serve } from './forward/modes.ts'
import { importProxyImage } from './forward/proxy-image.ts'

const TEAM = 'e2e-conformance'
const PORT = 5120

let directory: string
let ada: string
let own: Cases

/** Fresh ones for each run: what the suite finds there counts. */
const repositories = (name: string) => [`team/${name}-one`, `team/${name}-two`] as const

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regctl-conformance-'))
  await developerOf(TEAM)
  ada = await kubeconfigOf(directory, 'ada@example.org', TEAM)
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM])
  await rm(directory, { recursive: true, force: true })
})

/** Cases that fail where policies decide, each with the policy that refuses it. */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/\/(tag|manifest|blob)-delete( \(\d+\))?: passed, now failure$/, 'DENY fence: nobody deletes'],
]

describe('the OCI conformance suite', () => {
  labOnly("by the registry's own loopback", async () => {
    own = await conformance(5000, repositories('own'), await onRegistry())
  })

  test.for(MODES)('by $name: the same cases', async (mode, { skip }) => {
    skip(lab === undefined, "needs the lab: the registry's own loopback is what it is held against")
    await using _forward = await serve(mode, PORT, ada)
    const found = await conformance(PORT, repositories(mode.name.replaceAll(/\W+/g, '-').toLowerCase()))
    const others = differences(own, found)
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
    docker = await startDocker()
    files = await layer(directory, 10)
  })
  afterAll(() => docker[Symbol.asyncDispose]())

  test.each(MODES)('pushes and pulls by $name', async (mode) => {
    const image = `localhost:${PORT}/team/docker:1`
    const run = async (...argv: readonly string[]) => {
      const { exitCode, stdout, stderr } = await docker.run(argv)
      return { exitCode, said: `${stdout}${stderr}` }
    }
    const done = { exitCode: 0, said: expect.anything() }
    expect(await run('import', files, image)).toEqual(done)
    await using _forward = await serve(mode, PORT, ada)
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

    test('until Ctrl-C, with a command, in the background', async () => {
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
      await docker.run(['tag', await importProxyImage(docker), PROXY_IMAGE])
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
