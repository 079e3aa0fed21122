import type { Installation } from '../../domain/installation.ts'
import { INSTALLATION_LABEL } from '../../domain/installation.ts'
import { describeRef, type KubeObject, type ObjectRef, refOf } from '../../domain/kube-object.ts'
import { statesIn } from '../../domain/ownership.ts'
import type { Exposure } from '../../domain/policy/exposure.ts'
import { installationOf, type Settings } from '../../domain/settings.ts'
import { STATE } from '../../domain/stack/stack.ts'
import { clusterError, preconditionError, RegctlError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { readExposures } from '../expose/exposures.ts'

export type Installed = { readonly at: Installation; readonly settings: Settings }

/** The installation in `namespace`, by the object that keeps its settings. */
export async function findInstalled(kube: Kube, namespace: string): Promise<Installed | undefined> {
  const state = await kube.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: STATE })
  return state === undefined || state.metadata.labels?.[INSTALLATION_LABEL] !== namespace
    ? undefined
    : readState(kube, state)
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
  const [states, namespaces] = await Promise.all(
    ['ConfigMap', 'Namespace'].map((kind) =>
      kube.list({ apiVersion: 'v1', kind }, { labelSelector: INSTALLATION_LABEL }),
    ),
  )
  return Promise.all(statesIn(states ?? [], namespaces ?? []).map((state) => readState(kube, state)))
}

async function readState(kube: Kube, state: KubeObject): Promise<Installed> {
  const namespace = state.metadata.namespace ?? ''
  const data = (state.data ?? {}) as Readonly<Record<string, string>>
  const settings = parseSettings(data['settings.json'] ?? '', refOf(state))
  const exposures = await exposuresToSee(kube, namespace)
  return { at: installationOf(namespace, settings, data.clusterDomain ?? 'cluster.local', exposures), settings }
}

/** Whoever may not read policies changes none either, and asks for nothing that exposures change. */
async function exposuresToSee(kube: Kube, namespace: string): Promise<readonly Exposure[]> {
  try {
    return await readExposures(kube, { namespace })
  } catch (error) {
    if (error instanceof RegctlError && error.code === 'FORBIDDEN') return []
    throw error
  }
}

function parseSettings(text: string, ref: ObjectRef): Settings {
  try {
    return JSON.parse(text) as Settings
  } catch (cause) {
    throw clusterError('STATE_UNREADABLE', `${describeRef(ref)} does not hold what regctl up was given`, {
      suggestions: [
        `kubectl delete configmap -n ${ref.namespace} ${ref.name}, then regctl up with the flags it was given before`,
      ],
      cause,
    })
  }
}
