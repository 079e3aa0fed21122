import { afterAll, beforeAll, expect, test } from 'vitest'
import { apply, ensureVictim, NODES, namespace, REGISTRY, remove } from './attacks/kit.ts'
import { inForce, registryConfig } from './attacks/mesh.ts'
import { rejectedByNodes, rejectedByRegistry } from './attacks/rejected.ts'
import { eventually, kubectlOk, regctl, regctlOk } from './cluster.ts'

const EVIL = 'attack-rejected'
const FILTER = 'attack-rejected'
const MINE = 'attack-rejected/mine'
const OTHER = 'attack-rejected/other'

const grantsOf = (name: string): Promise<string> =>
  kubectlOk([
    'get',
    'authorizationpolicies',
    '-n',
    REGISTRY,
    '-l',
    `regctl.dev/grant=${name}`,
    '-o',
    'jsonpath={.items[*].metadata.annotations}',
  ])

beforeAll(async () => {
  await Promise.all([ensureVictim(), remove('namespace', [EVIL])])
  await apply(namespace(EVIL, false))
  await regctlOk(['grant', EVIL, MINE])
})

afterAll(async () => {
  await Promise.all([remove('envoyfilter', [FILTER], '-n', REGISTRY), remove('envoyfilter', [FILTER], '-n', NODES)])
  await regctlOk(['revoke', EVIL, '--all'])
  await remove('namespace', [EVIL], '--wait=false')
  await eventually(() => regctlOk(['status']), { timeout: 30_000 })
})

test('an EnvoyFilter that Envoy rejects: grant and revoke fail loudly, status names it, and without it all is true again', async () => {
  await apply(rejectedByRegistry(FILTER))
  await inForce('error_state')

  const grant = await regctl(['grant', EVIL, OTHER, '--timeout', '2s'])
  expect(grant.exitCode, grant.stderr).toBe(5)
  expect(grant.stderr).toMatch(/refused an update.*taken back/s)
  expect(await grantsOf(EVIL)).not.toContain(OTHER)

  const status = await regctl(['status'])
  expect(status.exitCode).toBe(6)
  expect(`${status.stdout}${status.stderr}`).toMatch(/refused an update of listener virtualInbound/)

  const revoke = await regctl(['revoke', EVIL, MINE, '--timeout', '2s'])
  expect(revoke.exitCode, revoke.stderr).toBe(5)
  expect(revoke.stderr).toMatch(/refused an update/)
  expect(await grantsOf(EVIL)).toBe('')
  // The reason for all this noise: the proxy goes by the old policies.
  expect(await registryConfig()).toContain(MINE)

  await remove('envoyfilter', [FILTER], '-n', REGISTRY)
  await eventually(async () => expect(await registryConfig()).not.toContain(MINE), { timeout: 20_000 })
  await regctlOk(['status'])
  await regctlOk(['grant', EVIL, OTHER])
  expect(await registryConfig()).toContain(OTHER)
})

test("an EnvoyFilter that the node proxies reject shows in status with the node's name", async () => {
  await apply(rejectedByNodes(FILTER))
  await eventually(
    async () => {
      const { stdout, stderr, exitCode } = await regctl(['status'])
      expect(exitCode).toBe(6)
      expect(`${stdout}${stderr}`).toMatch(/proxy of node \S+ refused an update of listener/)
    },
    { timeout: 20_000 },
  )
  await remove('envoyfilter', [FILTER], '-n', NODES)
  await eventually(() => regctlOk(['status']), { timeout: 20_000 })
})
