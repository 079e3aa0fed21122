import type { Installation } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import { exemptNamespaces } from '../../domain/stack/pod-admission.ts'
import { isShared, type Tenants } from '../../domain/tenant/tenants.ts'
import { clusterError, RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { meshNamespace } from '../cluster/mesh.ts'

/**
 * Waits until the API server refuses a pod that may not use the tenant's images. It is asked by a dry run, which goes
 * through admission as a real pod does and makes none.
 * @throws cluster error NOT_ADMITTED_BY with the API server's last words
 */
export async function proveAdmission(
  ports: Ports,
  at: Installation,
  tenant: string,
  state: Tenants,
  timeoutMs: number,
): Promise<void> {
  const place = await elsewhere(ports, at, tenant, state)
  if (place === undefined) return
  const deadline = ports.clock.now() + timeoutMs
  for (;;) {
    const said = await refusal(ports, probe(at, tenant, place))
    if (said?.includes(`belongs to tenant ${tenant}`)) return
    if (ports.clock.now() >= deadline)
      throw clusterError(
        'ADMISSION_NOT_PROVEN',
        `the API server does not refuse images of ${tenant} in namespace "${place}" after ${Math.round(timeoutMs / 1000)} s: ${said ?? 'it let a pod in'}`,
        { suggestions: [`kubectl get validatingadmissionpolicies regctl-images-${at.namespace} -o yaml`] },
      )
    await ports.clock.sleep(300, ports.signal)
  }
}

/** A namespace of somebody else's. */
async function elsewhere({ kube }: Ports, at: Installation, tenant: string, state: Tenants) {
  const exempt = exemptNamespaces(at, await meshNamespace(kube))
  const names = (await kube.list({ apiVersion: 'v1', kind: 'Namespace' }))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata }) => metadata.name)
    .filter((name) => name !== tenant && !exempt.includes(name) && !isShared(state, `${tenant}/probe`, name))
  return names.includes('default') ? 'default' : names[0]
}

async function refusal({ kube }: Ports, pod: KubeObject): Promise<string | undefined> {
  try {
    await kube.create(pod, { dryRun: true })
    return undefined
  } catch (error) {
    if (error instanceof RegctlError && ['NOT_ADMITTED', 'INVALID', 'CLUSTER_REFUSED'].includes(error.code))
      return error.message
    throw error
  }
}

/** Nothing else about it should be refused anywhere. */
const probe = (at: Installation, tenant: string, namespace: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'regctl-probe', namespace, labels: { 'sidecar.istio.io/inject': 'false' } },
  spec: {
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 65_534, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'probe',
        image: `localhost:${at.port}/${tenant}/probe:none`,
        resources: { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '1m', memory: '1Mi' } },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  },
})
