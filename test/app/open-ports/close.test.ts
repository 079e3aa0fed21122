import { describe, expect, test } from 'vitest'
import { changeSets } from '../../../src/app/open-ports/ledger.ts'
import { withoutPort } from '../../../src/domain/open-ports/port-set.ts'
import { at } from '../../domain/at.ts'
import { close, cluster, gateway, HOME, hostPorts, list, names, open, probing } from './kit.ts'

describe('close-port', () => {
  test('takes everything away, and a second time nothing', async () => {
    const made = await cluster()
    probing(made)
    const before = made.store.list({ apiVersion: 'v1', kind: 'Namespace' }).length
    await open(made, { port: 443, name: 'web' })
    expect(await close(made, 443)).toEqual({ port: 443, name: 'web', changed: true, foreign: [] })
    expect(made.store.list({ apiVersion: 'v1', kind: 'Namespace' })).toHaveLength(before)
    expect(names(made, 'admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy')).not.toContain(
      `regctl-gateways-${HOME}`,
    )
    expect(await close(made, 443)).toEqual({ port: 443, name: null, changed: false, foreign: [] })
  })

  test('leaves what others have there, and says so', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    made.store.put(gateway(HOME, 'theirs', { app: 'registry-ports-web' }))
    expect((await close(made, 443)).foreign).toEqual([`Gateway ${HOME}/theirs`])
    expect(names(made, 'v1', 'Namespace')).toContain(HOME)
    expect(hostPorts(made, 'web')).toEqual([])
    // It is found again.
    await open(made, { port: 443, name: 'web' })
    expect((await list(made)).ports[0]?.gateways).toHaveLength(1)
  })

  test('beside another one that takes the last port leaves nothing', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    await open(made, { port: 80, name: 'web' })
    let done = false
    made.kube.turn = async ({ verb, what }) => {
      if (done || verb !== 'apply' || !what.includes('DaemonSet')) return
      done = true
      await changeSets(made.kube, at, (sets) => withoutPort(sets, 443))
    }
    expect(await close(made, 80)).toEqual({ port: 80, name: 'web', changed: true, foreign: [] })
    expect(names(made, 'v1', 'Namespace')).not.toContain(HOME)
  })

  test('does not wait for the namespace, but who opens it again does', async () => {
    let lingering = true
    const made = await cluster({
      finalized: ({ kind, metadata }) => kind === 'Namespace' && metadata.name === HOME && lingering,
    })
    probing(made)
    await open(made, { port: 443, name: 'web' })
    await close(made, 443)
    expect(names(made, 'v1', 'Namespace')).toContain(HOME)
    made.clock.after(2000, () => {
      lingering = false
      made.store.remove({ apiVersion: 'v1', kind: 'Namespace', name: HOME })
    })
    await open(made, { port: 443, name: 'web' })
    expect(hostPorts(made, 'web')).toEqual([443])
    expect(made.report.notes).toContain('its namespace is still being deleted')
  })

  test('goes on where an interrupted one stopped', async () => {
    const made = await cluster()
    probing(made)
    await open(made, { port: 443, name: 'web' })
    made.kube.turn = ({ verb, what }) => {
      if (verb === 'remove' && what.includes('Service ')) throw new Error('killed')
    }
    await expect(close(made, 443)).rejects.toThrow('killed')
    made.kube.turn = () => {}
    await close(made, 443)
    expect(names(made, 'v1', 'Namespace')).not.toContain(HOME)
  })
})
