import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { localFiles } from '../../../src/adapters/files.ts'
import { builderSidecar, type PodLabel } from '../../../src/domain/builder.ts'
import type { Installation } from '../../../src/domain/installation.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { type Grant, grantPolicy } from '../../../src/domain/policy/grant.ts'
import { DEFAULTS } from '../../../src/domain/settings.ts'
import { contextFirst, MUTATION_APIS, MUTATION_KIND } from '../../../src/domain/stack/context-first.ts'
import { preconditionError } from '../../../src/errors.ts'
import type { Kube, LocalRegistry, SkaffoldPorts } from '../../../src/ports.ts'

export const at: Installation = { namespace: 'kube-registry', port: 5000, clusterDomain: 'cluster.local' }

/** What a cluster has, and what its admission does to a build's pod. */
export type Cluster = {
  readonly context?: string
  readonly grants?: readonly Grant[]
  readonly namespaces?: readonly string[]
  readonly pods?: PodLabel
  readonly admission?: 'native' | 'native, context first' | 'classic' | 'none'
  /** Versions it serves MutatingAdmissionPolicy in, and the namespace that has regctl's. */
  readonly mutation?: { readonly served: readonly string[]; readonly in?: string; readonly secret?: true }
  readonly hosted?: string
  readonly unreachable?: boolean
}

const OWNER = { apiVersion: 'v1', kind: 'Namespace', name: 'builds', uid: 'u' }

export const grant = (namespace: string, repository: string, more: Partial<Grant> = {}): Grant => ({
  namespace,
  repository,
  exact: false,
  readOnly: false,
  ...more,
})

/** The cluster as the API server tells it. */
function kubeOf({
  context = 'lab',
  grants = [],
  namespaces = ['builds'],
  pods,
  admission = 'native, context first',
  mutation = { served: MUTATION_APIS, in: 'builds' },
  hosted,
  unreachable,
}: Cluster): Kube {
  const installed: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'regctl', namespace: at.namespace, labels: { 'regctl.dev/installation': at.namespace } },
    data: { 'settings.json': JSON.stringify(DEFAULTS), clusterDomain: at.clusterDomain },
  }
  const objects: readonly KubeObject[] = [
    installed,
    ...namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    ...grants.map((one) => grantPolicy(at, one)),
    ...namespaces.map((name) => builderSidecar(at, name, pods, undefined)),
    ...(mutation.in === undefined ? [] : contextFirst(at, mutation.in, MUTATION_APIS[0], OWNER)),
    ...(hosted === undefined
      ? []
      : [
          {
            apiVersion: 'v1',
            kind: 'ConfigMap',
            metadata: { namespace: 'kube-public', name: 'local-registry-hosting' },
            data: { 'localRegistryHosting.v1': hosted },
          },
        ]),
  ]
  const guard = <T>(value: T): Promise<T> =>
    unreachable === true
      ? Promise.reject(preconditionError('UNREACHABLE', 'cannot reach the API server'))
      : Promise.resolve(value)
  const kube: Partial<Kube> = {
    target: { context, server: 'https://lab' },
    serves: ({ apiVersion }) => guard(mutation.served.includes(apiVersion)),
    get: ({ kind, namespace, name }) =>
      kind === MUTATION_KIND && mutation.secret === true
        ? Promise.reject(preconditionError('FORBIDDEN', 'not allowed'))
        : guard(
            objects.find(
              (one) => one.kind === kind && one.metadata.name === name && one.metadata.namespace === namespace,
            ),
          ),
    list: ({ kind }, { namespace } = {}) =>
      guard(
        objects.filter((one) => one.kind === kind && (namespace === undefined || one.metadata.namespace === namespace)),
      ),
    create: (object) => guard(admit(object, admission)),
    version: () => guard({ gitVersion: 'v1.36.3', major: 1, minor: 36 }),
  }
  return kube as Kube
}

function admit(pod: KubeObject, admission: NonNullable<Cluster['admission']>): KubeObject {
  const spec = pod.spec as { initContainers: object[]; containers: object[] }
  const native = pod.metadata.annotations?.['sidecar.istio.io/nativeSidecar'] === 'true'
  const proxy = { name: 'istio-proxy', restartPolicy: 'Always' }
  if (admission === 'none') return pod
  if (admission === 'classic' && !native) return { ...pod, spec: { ...spec, containers: [...spec.containers, proxy] } }
  const initContainers = admission === 'native' ? [proxy, ...spec.initContainers] : [...spec.initContainers, proxy]
  return { ...pod, spec: { ...spec, initContainers } }
}

export type Workplace = {
  readonly ports: SkaffoldPorts
  readonly warnings: string[]
  readonly path: (name: string) => string
  readonly read: (name: string) => string
  readonly [Symbol.dispose]: () => void
}

/** Real files in a directory of their own, and a cluster. */
export function workplace(
  files: Readonly<Record<string, string>>,
  cluster: Cluster = {},
  forward: Awaited<ReturnType<LocalRegistry['probe']>> = 'registry',
): Workplace {
  const root = mkdtempSync(join(tmpdir(), 'regctl-skaffold-'))
  const path = (name: string) => join(root, name)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(path(name)), { recursive: true })
    writeFileSync(path(name), text)
  }
  const warnings: string[] = []
  const ports: Partial<SkaffoldPorts> = {
    kube: kubeOf(cluster),
    files: localFiles({ HOME: path('home') }),
    localRegistry: { probe: () => Promise.resolve(forward) },
    signal: new AbortController().signal,
  }
  return {
    ports: ports as SkaffoldPorts,
    warnings,
    path,
    read: (name) => readFileSync(path(name), 'utf8'),
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  }
}
