import { describe, expect, test } from 'vitest'
import { type BuilderOptions, planBuilder, prepareBuilder } from '../../../src/app/grant/builder.ts'
import { builderSidecar, builderSidecarName } from '../../../src/domain/builder.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { at } from '../../domain/at.ts'
import { type FakeCluster, fakeCluster, namespace, pod } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'

/** The entry that gives a pod localhost:5000. */
const loopback = {
  port: { number: 5000, protocol: 'TCP', name: 'tcp-registry' },
  bind: '127.0.0.1',
  captureMode: 'NONE',
  hosts: ['kube-registry/kube-registry.kube-registry.svc.cluster.local'],
}
const BUILDER = { key: 'builder', value: 'yes' }

function withNamespace(labels: Readonly<Record<string, string>> = {}) {
  const cluster = fakeCluster()
  cluster.store.put(namespace('ci', labels))
  return cluster
}

const home = ({ store }: FakeCluster) => store.read({ apiVersion: 'v1', kind: 'Namespace', name: 'ci' }) as KubeObject

const plan = (cluster: FakeCluster, options: Partial<BuilderOptions> = {}) =>
  planBuilder(cluster.kube, at, home(cluster), { inject: false, mergeSidecar: false, ...options })

const sidecar = (name: string, spec: Readonly<Record<string, unknown>>, at = 'ci'): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Sidecar',
  metadata: { name, namespace: at },
  spec,
})

describe('injection', () => {
  test.each<[string, Readonly<Record<string, string>>, string | undefined, Readonly<Record<string, string>>]>([
    ['is turned on', {}, undefined, { 'istio-injection': 'enabled' }],
    ['is turned on for a revision', {}, 'canary', { 'istio.io/rev': 'canary' }],
    ['is on already', { 'istio-injection': 'enabled' }, undefined, {}],
    ['is on already for that revision', { 'istio.io/rev': 'canary' }, 'canary', {}],
  ])('%s', async (_, present, revision, labels) => {
    const cluster = withNamespace(present)
    expect((await plan(cluster, revision === undefined ? {} : { revision })).labels).toEqual(labels)
  })

  test.each<[string, Readonly<Record<string, string>>, string]>([
    ['that is opted out', { 'istio-injection': 'disabled' }, 'is opted out of Istio injection'],
    ['of another revision', { 'istio.io/rev': 'old' }, 'is injected by another revision'],
    ['that is ambient', { 'istio.io/dataplane-mode': 'ambient' }, 'is ambient'],
  ])('of a namespace %s needs --inject or --pods', async (_, present, why) => {
    const cluster = withNamespace(present)
    await expect(plan(cluster)).rejects.toEqual(failure('INJECTION', 4, `namespace "ci" ${why}`))
    expect((await plan(cluster, { inject: true })).labels).toEqual({ 'istio-injection': 'enabled' })
    expect((await plan(cluster, { pods: BUILDER })).labels).toEqual({})
  })

  test('where applications run without a proxy names them, five at most', async () => {
    const cluster = withNamespace()
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) cluster.store.put(pod('ci', name))
    await expect(plan(cluster)).rejects.toEqual(
      failure('INJECTION', 4, 'namespace "ci" runs pods without an Istio proxy: a, b, c, d, e'),
    )
    await expect(plan(cluster)).rejects.toMatchObject({
      suggestions: [expect.stringMatching(/^add --inject/), expect.stringMatching(/^add --pods KEY=VALUE/)],
    })
    expect((await plan(cluster, { inject: true })).labels).toEqual({ 'istio-injection': 'enabled' })
    expect((await plan(cluster, { pods: BUILDER })).labels).toEqual({})
  })

  test('does not mind them where it is on', async () => {
    const cluster = withNamespace({ 'istio-injection': 'enabled' })
    cluster.store.put(pod('ci', 'a'))
    expect((await plan(cluster)).labels).toEqual({})
  })

  test('does not save a pod that holds the port', async () => {
    const cluster = withNamespace({ 'istio-injection': 'enabled' })
    cluster.store.put(pod('ci', 'a', { spec: { containers: [{ name: 'a', ports: [{ containerPort: 5000 }] }] } }))
    await expect(plan(cluster, { inject: true })).rejects.toEqual(failure('PORT_IN_PODS', 4))
    await plan(cluster, { pods: BUILDER })
  })
})

describe('the listener', () => {
  test('comes in a Sidecar of ours, for all pods or the labelled ones', async () => {
    const cluster = withNamespace()
    expect((await plan(cluster)).sidecar).toEqual(builderSidecar(at, 'ci', undefined, undefined))
    expect((await plan(cluster, { pods: BUILDER })).sidecar).toEqual(builderSidecar(at, 'ci', BUILDER, undefined))
  })

  test('keeps what a Sidecar of the root namespace says to all', async () => {
    const cluster = withNamespace()
    cluster.store.put(sidecar('a-selected', { workloadSelector: { labels: { app: 'x' } } }, 'istio-system'))
    const spec = { egress: [{ hosts: ['./*', 'istio-system/*'] }], outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } }
    cluster.store.put(sidecar('default', spec, 'istio-system'))
    expect((await plan(cluster)).sidecar?.spec).toEqual({ ...spec, egress: [loopback, ...spec.egress] })
  })

  test('goes by the root namespace istiod lives in', async () => {
    const cluster = withNamespace()
    cluster.store.remove({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'istio-system', name: 'istiod' })
    cluster.store.put(namespace('mesh'))
    cluster.store.put({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'istiod', namespace: 'mesh', labels: { app: 'istiod' } },
    })
    cluster.store.put(sidecar('default', { egress: [{ hosts: ['./*'] }] }, 'mesh'))
    expect((await plan(cluster)).sidecar?.spec).toMatchObject({ egress: [loopback, { hosts: ['./*'] }] })
  })

  test('is there already', async () => {
    const cluster = withNamespace()
    cluster.store.put(builderSidecar(at, 'ci', undefined, undefined))
    expect(await plan(cluster)).toEqual({ labels: { 'istio-injection': 'enabled' } })
  })
})

describe('two listeners never meet in one pod', () => {
  test.each<[string, typeof BUILDER | undefined, typeof BUILDER | undefined, string | undefined]>([
    ['another value of the label', BUILDER, { key: 'builder', value: 'other' }, undefined],
    ['another label', BUILDER, { key: 'team', value: 'a' }, 'pods labelled builder=yes'],
    ['all pods after labelled ones', BUILDER, undefined, 'pods labelled builder=yes'],
    ['labelled pods after all', undefined, BUILDER, 'all pods of the namespace'],
  ])('%s', async (_, first, then, held) => {
    const cluster = withNamespace({ 'istio-injection': 'enabled' })
    cluster.store.put(builderSidecar(at, 'ci', first, undefined))
    const second = plan(cluster, then === undefined ? {} : { pods: then })
    if (held === undefined) expect((await second).sidecar?.metadata.name).toBe(builderSidecarName(then))
    else await expect(second).rejects.toEqual(failure('TWO_SIDECARS', 4, `has the listener for ${held}`))
  })

  test('what to do instead is named', async () => {
    const cluster = withNamespace()
    cluster.store.put(builderSidecar(at, 'ci', BUILDER, undefined))
    await expect(plan(cluster)).rejects.toMatchObject({
      suggestions: ['use --pods builder=yes', 'regctl revoke ci --all, to start over'],
    })
  })
})

describe('a Sidecar of others', () => {
  const OWN = { egress: [{ hosts: ['./*'] }] }

  test('is refused with the entry to add, unless it may be merged', async () => {
    const cluster = withNamespace({ 'istio-injection': 'enabled' })
    cluster.store.put(sidecar('mine', OWN))
    await expect(plan(cluster)).rejects.toMatchObject({
      code: 'FOREIGN_SIDECAR',
      oclif: { exit: 4 },
      message: "Sidecar ci/mine is not regctl's, and only one Sidecar applies to a pod",
      suggestions: [
        'add --merge-sidecar, to have this entry put into it',
        `add to its spec.egress, as first entry: ${JSON.stringify(loopback)}`,
      ],
      details: { sidecar: 'ci/mine', egress: loopback },
    })
    const merge = { name: 'mine', spec: { egress: [loopback, ...OWN.egress] } }
    expect(await plan(cluster, { mergeSidecar: true })).toEqual({ labels: {}, merge })
  })

  test('with the listener in it already is as it should be', async () => {
    const cluster = withNamespace({ 'istio-injection': 'enabled' })
    cluster.store.put(sidecar('mine', { egress: [{ hosts: ['./*'] }, loopback] }))
    expect(await plan(cluster)).toEqual({ labels: {} })
  })

  test.each<[string, Readonly<Record<string, string>> | undefined, boolean]>([
    ['for all pods yields to ours', undefined, false],
    ['for the same label clashes', { builder: 'yes' }, true],
    ['for another value does not', { builder: 'no' }, false],
    ['for another label may', { app: 'x' }, true],
    ['for that value and more may', { builder: 'yes', app: 'x' }, true],
  ])('%s, where ours is for labelled pods', async (_, labels, clashes) => {
    const cluster = withNamespace()
    cluster.store.put(sidecar('mine', labels === undefined ? OWN : { ...OWN, workloadSelector: { labels } }))
    const planned = plan(cluster, { pods: BUILDER })
    if (clashes) await expect(planned).rejects.toEqual(failure('FOREIGN_SIDECAR', 4))
    else expect((await planned).sidecar?.metadata.name).toBe(builderSidecarName(BUILDER))
  })
})

describe('carrying it out', () => {
  test('notes what was added and what gave way', async () => {
    const cluster = withNamespace({ 'istio-injection': 'disabled', team: 'a' })
    await prepareBuilder(cluster.kube, home(cluster), await plan(cluster, { inject: true, revision: 'canary' }))
    expect(home(cluster).metadata).toMatchObject({
      labels: { 'istio.io/rev': 'canary', team: 'a' },
      annotations: {
        'regctl.dev/added-labels': '{"istio.io/rev":"canary"}',
        'regctl.dev/replaced-labels': '{"istio-injection":"disabled"}',
      },
    })
    expect(home(cluster).metadata.labels).not.toHaveProperty('istio-injection')
  })

  test('leaves the namespace alone where injection is on', async () => {
    const cluster = withNamespace({ 'istio-injection': 'enabled' })
    await prepareBuilder(cluster.kube, home(cluster), await plan(cluster))
    expect(cluster.kube.writes).toEqual(['apply Sidecar ci/regctl-localhost'])
  })

  test('notes nothing as replaced where nothing was in the way', async () => {
    const cluster = withNamespace()
    await prepareBuilder(cluster.kube, home(cluster), await plan(cluster))
    expect(home(cluster).metadata.annotations).toEqual({ 'regctl.dev/added-labels': '{"istio-injection":"enabled"}' })
  })

  test('marks a Sidecar it merged into', async () => {
    const cluster = withNamespace({ 'istio-injection': 'enabled' })
    const spec = { egress: [{ hosts: ['./*'] }], outboundTrafficPolicy: { mode: 'ALLOW_ANY' } }
    cluster.store.put(sidecar('mine', spec))
    await prepareBuilder(cluster.kube, home(cluster), await plan(cluster, { mergeSidecar: true }))
    const found = cluster.store.read({ ...sidecar('mine', {}), namespace: 'ci', name: 'mine' })
    expect(found?.spec).toEqual({ ...spec, egress: [loopback, ...spec.egress] })
    expect(found?.metadata.annotations).toEqual({ 'regctl.dev/merged-listener': 'true' })
  })
})
