import { describe, expect, test } from 'vitest'
import { grant } from '../../../src/app/grant/grant.ts'
import { status } from '../../../src/app/inspect/status.ts'
import { planInstall } from '../../../src/app/install/install-plan.ts'
import { uninstall } from '../../../src/app/install/uninstall.ts'
import { portsText } from '../../../src/ui/ports-text.ts'
import { up } from '../../fakes/cluster.ts'
import { plain } from '../../ui/plain.ts'
import { failure } from '../failure.ts'
import { cluster, gateway, HOME, hostPorts, list, names, open, probing } from './kit.ts'

describe('with ports open', () => {
  test('they are listed with the Gateways that use them, and what is wrong', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web', gatewaysFrom: ['team-a'] })
    made.store.put(gateway('team-a', 'app', { app: 'registry-ports-web' }))
    const { ports, problems } = await list(made)
    expect(problems).toEqual([])
    expect(ports).toMatchObject([
      { port: 443, name: 'web', gateways: [{ gateway: 'app', namespace: 'team-a', hosts: ['app.example.com'] }] },
    ])
    made.store.put(gateway('default', 'all'))
    const wrong = await list(made)
    expect(wrong.problems.map(({ what }) => what)).toEqual([
      'Gateway default/all attaches to port 443, and its namespace is not named for it',
    ])
    expect(plain(portsText(wrong)).split('\n').slice(0, 3)).toEqual([
      'PORT   NAME   NODES   ADDRESSES           GATEWAY       HOSTS',
      '443    web    2/2     10.0.0.1 10.0.0.2   default/all   app.example.com',
      '                                          team-a/app    app.example.com',
    ])
    const state = await status(made.ports, 'kube-registry')
    expect(state.openPorts).toEqual(wrong.ports)
    expect(state.problems.map(({ what }) => what)).toEqual(wrong.problems.map(({ what }) => what))
  })

  test('none is said with the next step', async () => {
    expect(portsText(await list(await cluster()))).toContain('regctl open-port 443')
  })

  test('up keeps them, renders them anew with the mesh, and is done a second time', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    const plan = async () =>
      (await planInstall(made.ports, 'kube-registry', {})).changes.filter(({ action }) => action !== 'unchanged')
    expect(await plan()).toEqual([])
    made.mesh.image = 'docker.io/istio/proxyv2:1.31.1'
    expect((await plan()).map(({ ref }) => ref.name)).toContain('registry-ports-web')
    await up(made)
    expect(await plan()).toEqual([])
    expect(hostPorts(made, 'web')).toEqual([443])
  })

  test('up does not take away what was opened since its plan was made', async () => {
    const made = await cluster()
    probing(made)
    const { install } = await import('../../../src/app/install/install.ts')
    const plan = await planInstall(made.ports, 'kube-registry', {})
    await open(made, { port: 443, name: 'web' })
    await install(made.ports, plan, { wait: true, timeoutMs: 60_000 })
    expect(hostPorts(made, 'web')).toEqual([443])
  })

  test('down removes all of it', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    await open(made, { port: 80 })
    const { foreign } = await uninstall(made.ports, 'kube-registry', { deleteData: true, timeoutMs: 10_000 })
    expect(foreign).toEqual([])
    expect(names(made, 'v1', 'Namespace').filter((name) => name.startsWith('kube-registry'))).toEqual([])
    expect(names(made, 'admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy')).toEqual([])
  })

  test("their gateways' identities are granted nothing", async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    const wanted = { namespace: HOME, repository: 'a', exact: false, readOnly: true }
    await expect(
      grant(made.ports, 'kube-registry', wanted, { inject: true, mergeSidecar: false, timeoutMs: 1000 }),
    ).rejects.toEqual(failure('OWN_NAMESPACE', 4, HOME))
  })
})
