import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureVictim } from './attacks/kit.ts'
import { regctl, regctlOk } from './cluster.ts'
import { servedIssuer } from './external/issuer.ts'
import { Outside } from './external/outside.ts'
import { startBuildkit } from './forward/buildkit.ts'
import { startDocker } from './forward/docker.ts'

const SUBJECT = 'repo:acme/clients:ref:refs/heads/main'

let outside: Outside
let served: Awaited<ReturnType<typeof servedIssuer>>

beforeAll(async () => {
  served = await servedIssuer(SUBJECT)
  await ensureVictim()
  outside = await Outside.open('public/*')
  await regctlOk(['grant-external', SUBJECT, 'team', '--issuer', served.issuer.name, '--audience', 'clients'])
})

afterAll(async () => {
  await regctl(['revoke-external', SUBJECT, '--all'])
  await outside?.[Symbol.asyncDispose]()
  await served?.[Symbol.asyncDispose]()
})

test('after docker login BuildKit pushes, and docker itself does not', async () => {
  await using docker = await startDocker(outside.machine)
  await using buildkit = await startBuildkit(outside.machine)
  const token = served.issuer.token(SUBJECT, 'clients')
  const login = await docker.run(['login', '-u', 'token', '--password-stdin', outside.host], { input: token })
  expect(login, login.stderr).toMatchObject({ exitCode: 0 })
  const context = join(outside.directory, 'context')
  await mkdir(context)
  await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n')
  const image = `${outside.host}/team/app:buildkit`
  const local = ['--local', `context=${context}`, '--local', `dockerfile=${context}`]
  const output = ['--output', `type=image,name=${image},push=true`]
  const built = await buildkit.run(['build', '--frontend', 'dockerfile.v0', ...local, ...output], {
    env: { DOCKER_CONFIG: docker.config },
  })
  expect(built, built.stderr).toMatchObject({ exitCode: 0 })
  expect(await outside.client(['crane', 'digest', image], token)).toMatchObject({ exitCode: 0 })
  // It asks /v2/ whether credentials are wanted, and there everybody is welcome.
  await docker.run(['build', '-t', image, context])
  const pushed = await docker.run(['push', image])
  expect([pushed.exitCode, pushed.stderr]).toEqual([1, expect.stringMatching(/unauthorized|denied|authentication/i)])
})
