import { isPlace } from '../forward/place.ts'
import { developerHost, developerPort, type Installation, ownerLabels, REGISTRY } from '../installation.ts'
import type { KubeObject, ObjectRef } from '../kube-object.ts'
import { spiffeId } from '../policy/identity.ts'

/** Name of the ConfigMap developers may read, and of the Role that lets them. */
export const DEVELOPER_ACCESS = 'developer-access'

/** All that a developer has to know to come in; none of it is secret. */
export type DeveloperAccess = {
  /** Where the gateway answers, `HOST:PORT`, in the order to try. Empty where only a port-forward leads there. */
  readonly addresses: readonly string[]
  /** Where the registry's own proxy answers, likewise; empty where only the gateway leads there. */
  readonly registryAddresses: readonly string[]
  /** The mesh's roots in PEM. */
  readonly roots: string
  readonly trustDomain: string
  readonly clusterDomain: string
  /** The registry's port, which is its name on every localhost. */
  readonly port: number
  /** Name in the certificate of the mesh's certificate authority, and the SNI that leads to it. */
  readonly authority: string
}

export const accessRef = ({ namespace }: Pick<Installation, 'namespace'>): ObjectRef => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace,
  name: DEVELOPER_ACCESS,
})

export function accessObject(at: Installation, access: DeveloperAccess): KubeObject {
  const { addresses, registryAddresses, roots, trustDomain, clusterDomain, port, authority } = access
  const lines = (all: readonly string[]): string => all.map((address) => `${address}\n`).join('')
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: DEVELOPER_ACCESS, namespace: at.namespace, labels: ownerLabels(at) },
    data: {
      addresses: lines(addresses),
      authority,
      clusterDomain,
      port: String(port),
      registryAddresses: lines(registryAddresses),
      'root-cert.pem': roots,
      trustDomain,
    },
  }
}

/** Without roots of its own, TLS would trust every public authority. */
const ROOT = /-----BEGIN CERTIFICATE-----\s[^-]+-----END CERTIFICATE-----/

/** Undefined where something is missing, or is not what its name says. */
export function accessOf(object: KubeObject): DeveloperAccess | undefined {
  const data = (object.data ?? {}) as Readonly<Record<string, string>>
  const { addresses = '', registryAddresses = '', authority, clusterDomain, port = '', trustDomain } = data
  const roots = data['root-cert.pem']
  if (!authority || !clusterDomain || !roots || !trustDomain) return undefined
  if (!ROOT.test(roots) || !isPlace(`localhost:${port}`)) return undefined
  return {
    addresses: addresses.split('\n').filter(isPlace),
    registryAddresses: registryAddresses.split('\n').filter(isPlace),
    authority,
    clusterDomain,
    port: Number(port),
    roots,
    trustDomain,
  }
}

/** The name by which the gateway passes a connection on to the registry's proxy (istio pilot/pkg/model/service.go). */
export const registrySni = (at: Installation): string => `outbound_.${developerPort(at)}_._.${developerHost(at)}`

/** The registry's own identity: any other certificate behind the gateway is refused. */
export const registryPrincipal = (at: Pick<Installation, 'namespace'>, trustDomain: string): string =>
  spiffeId(trustDomain, at.namespace, REGISTRY)
