import { beforeAll, expect, test } from 'vitest'
import { ask, builder, ensureBuilder, uploadTo } from './clients.ts'
import { eventually, kubectlOk, regctl, regctlOk } from './cluster.ts'
import { upFlags } from './images.ts'

const NAMESPACE = 'kube-registry'

beforeAll(async () => {
  await regctlOk(['up', ...upFlags])
  await ensureBuilder()
})

test('a registry whose proxy has no policies never starts; status says so and up mends it', async () => {
  await kubectlOk(['delete', 'authorizationpolicy', '-n', NAMESPACE, 'fence'])
  await kubectlOk(['delete', 'pod', '-n', NAMESPACE, '-l', 'app=kube-registry', '--wait=false'])
  await eventually(async () => {
    const gate =
      'jsonpath={.items[*].status.initContainerStatuses[?(@.name=="policies-in-force")].state.running.startedAt}'
    expect(await kubectlOk(['get', 'pods', '-n', NAMESPACE, '-l', 'app=kube-registry', '-o', gate])).not.toBe('')
  })
  const [answer] = await ask(builder, [uploadTo('example/app')])
  expect(answer?.status === 0 || answer?.status === 503, JSON.stringify(answer)).toBe(true)
  const { exitCode, stdout } = await regctl(['status'])
  expect(exitCode).toBe(6)
  expect(stdout).toContain('waits for its policies')
  await regctlOk(['up'])
  expect((await ask(builder, [uploadTo('example/app')]))[0]?.status).toBe(202)
})
