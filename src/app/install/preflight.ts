import type { V1Pod } from '@kubernetes/client-node'
import { INGRESS_PORT, ingressNamespace, nodeNamespace } from '../../domain/installation.ts'
import { ingressType } from '../../domain/settings.ts'
import { conflictError, preconditionError, RegctlError } from '../../errors.ts'
import type { Ports, Right } from '../../ports.ts'
import { mutationApi } from '../cluster/mutation.ts'
import { checkIngress } from './ingress-preflight.ts'
import type { InstallPlan } from './install-plan.ts'
import { checkNodeGateway } from './node-gateway-preflight.ts'

type Where = Pick<InstallPlan['at'], 'namespace' | 'developers' | 'nodeGateway'>

/** What `up` writes, as RBAC names it. */
function neededRights(at: Where, admission: readonly string[]): readonly Right[] {
  const { namespace } = at
  const here = (group: string, resource: string): Right => ({ verb: 'patch', group, resource, namespace })
  const node = nodeNamespace({ namespace })
  return [
    { verb: 'patch', group: '', resource: 'namespaces' },
    here('', 'configmaps'),
    { verb: 'create', group: '', resource: 'secrets', namespace },
    here('', 'services'),
    here('', 'serviceaccounts'),
    here('', 'persistentvolumeclaims'),
    here('apps', 'deployments'),
    { verb: 'patch', group: 'apps', resource: 'daemonsets', namespace: node },
    here('security.istio.io', 'authorizationpolicies'),
    here('security.istio.io', 'peerauthentications'),
    here('networking.istio.io', 'sidecars'),
    here('networking.istio.io', 'envoyfilters'),
    here('networking.istio.io', 'destinationrules'),
    { verb: 'create', group: '', resource: 'pods', subresource: 'exec', namespace },
    { verb: 'create', group: '', resource: 'pods', namespace: node },
    { verb: 'create', group: '', resource: 'pods', subresource: 'portforward', namespace: node },
    ...admission.map((resource) => ({ verb: 'patch', group: 'admissionregistration.k8s.io', resource })),
    ...(at.developers === true ? ingressRights(namespace) : []),
    ...(at.nodeGateway === true ? nodeGatewayRights(node) : []),
  ]
}

const nodeGatewayRights = (namespace: string): readonly Right[] =>
  [
    ['networking.istio.io', 'gateways'],
    ['networking.istio.io', 'virtualservices'],
    ['networking.istio.io', 'destinationrules'],
    ['networking.istio.io', 'workloadentries'],
    ['security.istio.io', 'authorizationpolicies'],
    ['telemetry.istio.io', 'telemetries'],
  ].map(([group = '', resource = '']) => ({ verb: 'patch', group, resource, namespace }))

function ingressRights(namespace: string): readonly Right[] {
  const place = ingressNamespace({ namespace })
  const patch = (group: string, resource: string, where = place): Right => ({
    verb: 'patch',
    group,
    resource,
    namespace: where,
  })
  return [
    patch('', 'services'),
    patch('', 'serviceaccounts'),
    patch('apps', 'deployments'),
    patch('rbac.authorization.k8s.io', 'roles'),
    patch('rbac.authorization.k8s.io', 'roles', namespace),
    patch('networking.istio.io', 'gateways'),
    patch('networking.istio.io', 'virtualservices'),
    patch('networking.istio.io', 'destinationrules'),
    { verb: 'create', group: '', resource: 'pods', subresource: 'exec', namespace: place },
    { verb: 'list', group: '', resource: 'nodes' },
  ]
}

/** The versions the whole story ran on; older and newer ones are expected to work from the lower bound on. */
export const TESTED = { kubernetes: '1.36', istio: '1.31', oldestKubernetes: 29, oldestIstio: 29 } as const

/**
 * Everything that must hold before anything is written.
 * @throws precondition error (exit 3) for what is missing, conflict error (exit 4) for a port that is taken
 */
export async function preflight(ports: Ports, plan: InstallPlan, note: (text: string) => void): Promise<void> {
  const { kube, report } = ports
  const version = await kube.version()
  note(`Kubernetes ${version.gitVersion}, Istio ${plan.mesh.istioVersion}`)
  if (version.minor < TESTED.oldestKubernetes)
    throw preconditionError(
      'KUBERNETES_TOO_OLD',
      `Kubernetes ${version.gitVersion} has no native sidecars; 1.${TESTED.oldestKubernetes} is the oldest that works`,
    )
  for (const remark of versionRemarks(version.gitVersion, plan.mesh.istioVersion)) report.warn(remark)
  if (plan.mesh.ambient)
    report.info(
      'The mesh is ambient: the registry and the node proxy keep proxies of their own, builders need a sidecar',
    )
  if (!plan.mesh.admissionPolicies)
    report.warn(
      `This cluster has no ValidatingAdmissionPolicy: any pod may ask for host port ${plan.at.port} while a node proxy is replaced`,
    )
  await checkRights(ports, plan.at)
  await checkHostPorts(ports, plan)
  await checkStorage(ports, plan)
  await checkIngress(ports, plan)
  await checkNodeGateway(ports, plan)
}

/** A clear word for versions nobody ran this on. */
export function versionRemarks(kubernetes: string, istio: string): readonly string[] {
  const minor = (text: string) => Number(/^v?\d+\.(\d+)/.exec(text)?.[1] ?? Number.NaN)
  const tested = (text: string) => minor(text)
  return [
    ...(Number.isNaN(minor(istio))
      ? ["Istio's version cannot be told; settings for versions before 1.31 are used"]
      : []),
    ...(minor(istio) < TESTED.oldestIstio
      ? [`Istio ${istio} is older than 1.${TESTED.oldestIstio}, the oldest this is expected to work with`]
      : []),
    ...(minor(istio) > tested(TESTED.istio)
      ? [`Istio ${istio} is newer than ${TESTED.istio}, the newest this was tested with`]
      : []),
    ...(minor(kubernetes) > tested(TESTED.kubernetes)
      ? [`Kubernetes ${kubernetes} is newer than ${TESTED.kubernetes}, the newest this was tested with`]
      : []),
  ]
}

/** A look at the cluster that RBAC refuses is answered with all the rights that are missing, not with the first. */
export async function withRights<T>(ports: Ports, namespace: string, look: () => Promise<T>): Promise<T> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof RegctlError && error.code === 'FORBIDDEN') await checkRights(ports, { namespace })
    throw error
  }
}

async function checkRights({ kube }: Ports, at: Where): Promise<void> {
  await requireRights(kube, neededRights(at, await admissionResources(kube)))
}

/** @throws precondition error RIGHTS_MISSING that names all that are */
export async function requireRights(kube: Ports['kube'], rights: readonly Right[]): Promise<void> {
  const held = await Promise.all(rights.map((right) => kube.can(right)))
  const missing = rights.filter((_, index) => held[index] !== true).map(rightText)
  if (missing.length === 0) return
  throw preconditionError('RIGHTS_MISSING', `context "${kube.target.context}" may not ${missing.join(', ')}`, {
    suggestions: ['use a context of a cluster administrator: add --context NAME'],
    details: { missing },
  })
}

async function admissionResources(kube: Ports['kube']): Promise<readonly string[]> {
  const validating = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy' }
  return [
    ...((await kube.serves(validating)) ? ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'] : []),
    ...((await mutationApi(kube)) === undefined
      ? []
      : ['mutatingadmissionpolicies', 'mutatingadmissionpolicybindings']),
  ]
}

export const rightText = ({ verb, resource, subresource, namespace }: Right): string =>
  `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}${namespace === undefined ? '' : ` in ${namespace}`}`

/** Pods outside ours that hold a port of their node. */
export async function hostPortHolders(
  { kube }: Pick<Ports, 'kube'>,
  at: InstallPlan['at'],
  hostPort = at.port,
): Promise<readonly string[]> {
  const pods = (await kube.list({ apiVersion: 'v1', kind: 'Pod' })) as unknown as V1Pod[]
  return pods
    .filter(
      (pod) =>
        ![nodeNamespace(at), ingressNamespace(at)].includes(pod.metadata?.namespace ?? '') &&
        pod.status?.phase !== 'Succeeded' &&
        pod.status?.phase !== 'Failed',
    )
    .filter((pod) =>
      [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].some((container) =>
        (container.ports ?? []).some((port) => port.hostPort === hostPort),
      ),
    )
    .map((pod) => `${pod.metadata?.namespace}/${pod.metadata?.name}`)
}

async function checkHostPorts(ports: Ports, { at, settings }: InstallPlan): Promise<void> {
  const check = async (port: number, another: string) => {
    const holders = await hostPortHolders(ports, at, port)
    if (holders.length === 0) return
    throw conflictError('PORT_CLAIMED', `host port ${port} is claimed by pod ${holders.join(', ')}`, {
      suggestions: [another, `kubectl delete pod -n ${holders[0]?.replace('/', ' ')}`],
    })
  }
  await check(at.port, `regctl up --port ${at.port + 1}`)
  if (at.developers === true && ingressType(settings) === 'HostPort')
    await check(INGRESS_PORT, 'regctl up --developer-ingress-type NodePort')
}

async function checkStorage({ kube }: Ports, plan: InstallPlan): Promise<void> {
  const { storage, storageClass } = plan.settings
  if (storage !== 'pvc') return
  const classes = await kube.list({ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' })
  const names = classes.map((object) => object.metadata.name)
  if (storageClass !== undefined) {
    if (names.includes(storageClass)) return
    throw preconditionError('NO_STORAGE_CLASS', `storage class "${storageClass}" does not exist`, {
      suggestions: names.map((name) => `regctl up --storage-class ${name}`),
    })
  }
  const isDefault = (object: (typeof classes)[number]) =>
    object.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true'
  if (classes.some(isDefault)) return
  throw preconditionError(
    'NO_DEFAULT_STORAGE_CLASS',
    "the cluster has no default storage class for the registry's data",
    {
      suggestions: [
        ...names.map((name) => `regctl up --storage-class ${name}`),
        'regctl up --storage emptydir, which loses images with the pod',
      ],
    },
  )
}
