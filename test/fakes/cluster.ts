import { join } from 'node:path'
import { shippedAssets } from '../../src/adapters/assets.ts'
import { install } from '../../src/app/install/install.ts'
import { planInstall } from '../../src/app/install/install-plan.ts'
import type { KubeObject } from '../../src/domain/kube-object.ts'
import type { GivenSettings } from '../../src/domain/settings.ts'
import type { Assets, Ports } from '../../src/ports.ts'
import { FakeClock } from './fake-clock.ts'
import { FakeKube } from './fake-kube.ts'
import { FakeMesh } from './fake-mesh.ts'
import { FakePods } from './fake-pods.ts'
import { ObjectStore } from './object-store.ts'
import { RecordingReporter } from './recording-reporter.ts'
import { admitImages } from './tenant-admission.ts'
import { Workloads } from './workloads.ts'

/** The shipped files are read once for all tests of a file. */
/** The mesh's. */
export const ROOTS = '-----BEGIN CERTIFICATE-----\nthe root\n-----END CERTIFICATE-----\n'

const shipped = shippedAssets(join(import.meta.dirname, '../..'))
const read = new Map<string, ReturnType<Assets['manifests']>>()
const assets: Assets = {
  async manifests(name) {
    const objects = read.get(name) ?? shipped.manifests(name)
    read.set(name, objects)
    return structuredClone(await objects)
  },
}

export type FakeCluster = ReturnType<typeof fakeCluster>

/** Two nodes, Istio 1.31 without its CNI plugin, a default StorageClass; everything a use case may touch. */
export function fakeCluster(options: { readonly finalized?: (object: KubeObject) => boolean } = {}) {
  const abort = new AbortController()
  const store = new ObjectStore(options.finalized)
  const mesh = new FakeMesh(store)
  store.admit = (object) => admitImages(store, mesh.inject(withDefaults(object)))
  for (const name of ['default', 'istio-system', 'kube-system']) store.put(namespace(name))
  for (const name of ['node1', 'node2']) store.put(clusterObject('v1', 'Node', name))
  store.put(clusterObject('storage.k8s.io/v1', 'StorageClass', 'standard', { [DEFAULT_CLASS]: 'true' }))
  store.put(istiod('default', 'docker.io/istio/pilot:1.31.0'))
  store.put(MESH_ROOT)
  const workloads = new Workloads(store)
  const kube = new FakeKube(store, abort.signal)
  const pods = new FakePods()
  pods.script((asked) => mesh.answer(asked))
  pods.script(({ what }) => (what === 'du -sk /var/lib/registry' ? '2048\t/var/lib/registry\n' : undefined))
  const clock = new FakeClock()
  const report = new RecordingReporter()
  const ports: Ports = { kube, pods, assets, clock, report, signal: abort.signal }
  return { ports, kube, store, pods, clock, report, mesh, workloads, abort }
}

const installed = new Map<string, Promise<FakeCluster>>()

/** The same with the registry installed by `up`, and nothing on record of how. */
export async function installedCluster(given: GivenSettings = {}, options: Parameters<typeof fakeCluster>[0] = {}) {
  const key = JSON.stringify(given)
  const first = installed.get(key) ?? firstInstalled(given)
  installed.set(key, first)
  const cluster = fakeCluster(options)
  cluster.store.copy((await first).store)
  cluster.mesh.port = given.port ?? 5000
  return cluster
}

async function firstInstalled(given: GivenSettings): Promise<FakeCluster> {
  const cluster = fakeCluster()
  cluster.mesh.port = given.port ?? 5000
  await up(cluster, given)
  return cluster
}

export async function up({ ports }: FakeCluster, given: GivenSettings = {}, wait = true) {
  return install(ports, await planInstall(ports, 'kube-registry', given), { wait, timeoutMs: 60_000 })
}

/** Takes what was written and said so far off the record. */
export function forget({ kube, report, pods }: FakeCluster): void {
  for (const record of [kube.writes, report.steps, report.notes, report.infos, report.warnings, pods.asked])
    record.length = 0
}

const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class'

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
})

export const clusterObject = (
  apiVersion: string,
  kind: string,
  name: string,
  annotations: Readonly<Record<string, string>> = {},
): KubeObject => ({ apiVersion, kind, metadata: { name, annotations } })

export const istiod = (revision: string, image: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: revision === 'default' ? 'istiod' : `istiod-${revision}`,
    namespace: 'istio-system',
    labels: { app: 'istiod', 'istio.io/rev': revision },
  },
  spec: { template: { spec: { containers: [{ name: 'discovery', image }] } } },
})

/** istiod keeps one in every namespace. */
const MESH_ROOT: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'istio-ca-root-cert', namespace: 'default' },
  data: { 'root-cert.pem': ROOTS },
}

/** A running pod without anything on it. */
export const pod = (at: string, name: string, more: Readonly<Record<string, unknown>> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: at },
  spec: { containers: [{ name: 'app', image: 'app' }] },
  status: { phase: 'Running' },
  ...more,
})

export const serviceAccount = (at: string, name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name, namespace: at },
})

/** As the API server fills in what a client left out; enough that a comparison without it would see changes. */
function withDefaults(object: KubeObject): KubeObject {
  const { name, labels } = object.metadata
  switch (object.kind) {
    case 'Namespace': {
      const metadata = { ...object.metadata, labels: { ...labels, 'kubernetes.io/metadata.name': name } }
      return { ...object, metadata, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }
    }
    case 'Service':
      return { ...object, spec: { ...(object.spec as object), clusterIP: '10.96.0.10', sessionAffinity: 'None' } }
    case 'Deployment':
      return { ...object, spec: { progressDeadlineSeconds: 600, ...(object.spec as object) } }
    case 'PersistentVolumeClaim': {
      const spec = object.spec as { resources?: { requests: { storage: string } } }
      const status = { phase: 'Bound', capacity: spec?.resources?.requests }
      return { ...object, spec: { storageClassName: 'standard', volumeMode: 'Filesystem', ...spec }, status }
    }
    default:
      return object
  }
}
