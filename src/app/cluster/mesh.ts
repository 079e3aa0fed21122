import type { V1Deployment, V1Pod } from '@kubernetes/client-node'
import { type Installation, nodeNamespace } from '../../domain/installation.ts'
import { describeRef, type KubeObject } from '../../domain/kube-object.ts'
import type { Settings } from '../../domain/settings.ts'
import { type Authority, type MeshFacts, minorOf, type ProxyTemplate } from '../../domain/stack/mesh-facts.ts'
import { templatePod } from '../../domain/stack/node-proxy.ts'
import { preconditionError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { mutationApi } from './mutation.ts'

export type Istiod = {
  readonly namespace: string
  readonly name: string
  readonly revision: string
  readonly version: string
}

const SEMVER = /^v?\d+\.\d+(\.\d+)?/

/** The control planes of the mesh, with their versions. */
export async function findIstiods(ports: Ports): Promise<readonly Istiod[]> {
  const deployments = await ports.kube.list(
    { apiVersion: 'apps/v1', kind: 'Deployment' },
    { labelSelector: 'app=istiod' },
  )
  return Promise.all(
    deployments.map(async (deployment) => ({
      namespace: deployment.metadata.namespace ?? '',
      name: deployment.metadata.name,
      revision: deployment.metadata.labels?.['istio.io/rev'] ?? 'default',
      version: await versionOf(ports, deployment),
    })),
  )
}

/** Namespace of the control plane, by the cheapest way to know it. */
export async function meshNamespace(kube: Pick<Ports['kube'], 'list'>): Promise<string> {
  const found = await kube.list({ apiVersion: 'apps/v1', kind: 'Deployment' }, { labelSelector: 'app=istiod' })
  return found[0]?.metadata.namespace ?? 'istio-system'
}

/** By the image's tag; an image tagged otherwise is asked itself, through a port-forward to its monitoring port. */
async function versionOf(ports: Ports, deployment: KubeObject): Promise<string> {
  const spec = deployment.spec as V1Deployment['spec']
  const tag = /:([^:/@]+)(@.*)?$/.exec(spec?.template.spec?.containers[0]?.image ?? '')?.[1] ?? ''
  if (SEMVER.test(tag)) return tag.replace(/^v/, '')
  const namespace = deployment.metadata.namespace ?? ''
  const pods = (await ports.kube.list(
    { apiVersion: 'v1', kind: 'Pod' },
    { namespace, labelSelector: 'app=istiod' },
  )) as unknown as V1Pod[]
  const running = pods.find((pod) => pod.status?.phase === 'Running')?.metadata?.name
  if (running === undefined) return 'unknown'
  try {
    const { body } = await ports.pods.request(
      namespace,
      running,
      15_014,
      { method: 'GET', path: '/version' },
      ports.signal,
    )
    return /\d+\.\d+(\.\d+)?/.exec(body)?.[0] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}

/**
 * The proxy container the mesh's injector would give a gateway pod now, from a server-side dry run in the node proxy's
 * namespace, or in `default` where that does not exist.
 * @throws precondition error NOT_INJECTED when nothing injects, with the revisions there are
 */
export async function proxyTemplate(
  ports: Ports,
  at: Pick<Installation, 'namespace'>,
  revision: string | undefined,
): Promise<ProxyTemplate> {
  const own = await ports.kube.get({ apiVersion: 'v1', kind: 'Namespace', name: nodeNamespace(at) })
  const namespace = own === undefined ? 'default' : nodeNamespace(at)
  const pod = (await ports.kube.create(templatePod(namespace, revision), { dryRun: true })) as unknown as
    | V1Pod
    | undefined
  const container = pod?.spec?.containers.find((candidate) => candidate.name === 'istio-proxy')
  if (container === undefined || container.image === undefined || container.image === 'auto') {
    const istiods = await findIstiods(ports)
    throw preconditionError(
      'NOT_INJECTED',
      `Istio did not inject a proxy into a pod of revision "${revision ?? 'default'}" (namespace "${namespace}")`,
      { suggestions: istiods.map((istiod) => `regctl up --revision ${istiod.revision}`) },
    )
  }
  const mounted = new Set((container.volumeMounts ?? []).map((mount) => mount.name))
  const { volumeMounts, ...rest } = container
  // The injected service account token of the API server is not the proxy's to have.
  const mounts = (volumeMounts ?? []).filter((mount) => !mount.name.startsWith('kube-api-access'))
  return {
    container: { ...rest, volumeMounts: mounts },
    volumes: (pod?.spec?.volumes ?? []).filter(
      (volume) => mounted.has(volume.name) && !volume.name.startsWith('kube-api-access'),
    ),
  }
}

/** `$(POD_NAMESPACE).svc.example.org` → `example.org`. */
export function clusterDomainOf(template: ProxyTemplate): string {
  const args = template.container.args ?? []
  const domain = args[args.indexOf('--domain') + 1] ?? ''
  return /\.svc\.(.+)$/.exec(domain)?.[1] ?? 'cluster.local'
}

/** Trust domain of the mesh as its proxies know it. */
export function trustDomainOf(template: ProxyTemplate): string {
  return template.container.env?.find((variable) => variable.name === 'TRUST_DOMAIN')?.value ?? 'cluster.local'
}

/** Where the proxies ask for certificates; istiod unless the mesh says otherwise. */
export function authorityOf(template: ProxyTemplate): Authority {
  const address = template.container.env?.find((variable) => variable.name === 'CA_ADDR')?.value
  const [, host = '', port = ''] = /^(?:\w+:\/\/)?([^:]+):(\d+)$/.exec(address ?? 'istiod.istio-system.svc:15012') ?? []
  return { host, port: Number(port) }
}

/**
 * The roots every proxy of the mesh trusts, as istiod keeps them in each namespace.
 * @throws precondition error NO_MESH_ROOT
 */
export async function meshRoots({ kube }: Pick<Ports, 'kube'>, template: ProxyTemplate): Promise<string> {
  const named = template.volumes.find(({ name }) => name === 'istiod-ca-cert')?.configMap?.name
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name: named ?? 'istio-ca-root-cert' }
  const roots = ((await kube.get(ref))?.data as Readonly<Record<string, string>> | undefined)?.['root-cert.pem']
  if (roots !== undefined) return roots
  throw preconditionError('NO_MESH_ROOT', `${describeRef(ref)} does not hold the mesh's root certificate`, {
    suggestions: [`kubectl get configmap -A --field-selector metadata.name=${ref.name}`],
  })
}

/** Everything about the mesh that shapes the installation. */
export async function meshFacts(
  ports: Ports,
  namespace: string,
  settings: Pick<Settings, 'revision' | 'istioVersion'>,
): Promise<MeshFacts & { readonly trustDomain: string }> {
  const { kube } = ports
  const { revision } = settings
  const [istiods, daemonSets, admissionPolicies, mutation, proxy] = await Promise.all([
    findIstiods(ports),
    kube.list({ apiVersion: 'apps/v1', kind: 'DaemonSet' }),
    kube.serves({ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy' }),
    mutationApi(kube),
    proxyTemplate(ports, { namespace }, revision),
  ])
  const istiod = istiods.find((candidate) => candidate.revision === (revision ?? 'default')) ?? istiods[0]
  const istioVersion = settings.istioVersion ?? istiod?.version ?? 'unknown'
  const [major, minor] = minorOf(istioVersion)
  return {
    istioVersion,
    connectionSettings: major > 1 || (major === 1 && minor >= 31),
    cni: daemonSets.some((set) => set.metadata.name === 'istio-cni-node'),
    ambient: daemonSets.some((set) => set.metadata.name === 'ztunnel'),
    clusterDomain: clusterDomainOf(proxy),
    authority: authorityOf(proxy),
    admissionPolicies,
    ...(mutation === undefined ? {} : { mutationApi: mutation }),
    proxy,
    trustDomain: trustDomainOf(proxy),
  }
}

/** The trust domain alone, by the same dry run. */
export async function meshTrustDomain(ports: Ports, at: Installation, revision: string | undefined): Promise<string> {
  return trustDomainOf(await proxyTemplate(ports, at, revision))
}
