import type { Installation } from '../../domain/installation.ts'
import { INSTALLATION_LABEL } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import type { Settings } from '../../domain/settings.ts'
import { STATE } from '../../domain/stack/stack.ts'
import { preconditionError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'

export type Installed = { readonly at: Installation; readonly settings: Settings }

/** The installation in `namespace`, by the object that keeps its settings. */
export async function findInstalled(kube: Kube, namespace: string): Promise<Installed | undefined> {
  const state = await kube.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: STATE })
  return state === undefined || state.metadata.labels?.[INSTALLATION_LABEL] !== namespace ? undefined : readState(state)
}

/** @throws precondition error NOT_INSTALLED */
export async function requireInstalled(kube: Kube, namespace: string): Promise<Installed> {
  const installed = await findInstalled(kube, namespace)
  if (installed !== undefined) return installed
  const others = await allInstalled(kube)
  throw preconditionError('NOT_INSTALLED', `there is no registry in namespace "${namespace}"`, {
    suggestions:
      others.length === 0
        ? [namespace === 'kube-registry' ? 'regctl up' : `regctl up --namespace ${namespace}`]
        : others.map((other) => `add --namespace ${other.at.namespace}`),
  })
}

/** Every installation of the cluster. */
export async function allInstalled(kube: Kube): Promise<readonly Installed[]> {
  const states = await kube.list({ apiVersion: 'v1', kind: 'ConfigMap' }, { labelSelector: INSTALLATION_LABEL })
  return states
    .filter(
      (state) =>
        state.metadata.name === STATE && state.metadata.namespace === state.metadata.labels?.[INSTALLATION_LABEL],
    )
    .map(readState)
}

function readState(state: KubeObject): Installed {
  const data = (state.data ?? {}) as Readonly<Record<string, string>>
  const settings = JSON.parse(data['settings.json'] ?? '{}') as Settings
  return {
    at: {
      namespace: state.metadata.namespace ?? '',
      port: settings.port,
      clusterDomain: data.clusterDomain ?? 'cluster.local',
    },
    settings,
  }
}
