import { hasListener, type SidecarSpec, specOf } from '../../domain/builder.ts'
import type { Installation } from '../../domain/installation.ts'
import type { Kube } from '../../ports.ts'

type Labels = Readonly<Record<string, string>>

/** Does the Sidecar that applies to such a pod have the listener? One that selects it comes before the namespace's. */
export async function listensFor(kube: Kube, at: Installation, namespace: string, labels: Labels): Promise<boolean> {
  const specs = await sidecars(kube, namespace)
  const selecting = specs.filter((spec) => {
    const wanted = Object.entries(selectorOf(spec))
    return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value)
  })
  const applying = selecting.length > 0 ? selecting : specs.filter((spec) => Object.keys(selectorOf(spec)).length === 0)
  return applying.length > 0 && applying.every((spec) => hasListener(at, spec))
}

/** Labels such a pod needs besides, so that it gets the listener: of a grant that was given with `--pods`. */
export async function listenerLabels(kube: Kube, at: Installation, namespace: string, labels: Labels): Promise<Labels> {
  if (await listensFor(kube, at, namespace, labels)) return {}
  const selected = (await sidecars(kube, namespace)).find(
    (spec) => Object.keys(selectorOf(spec)).length > 0 && hasListener(at, spec),
  )
  return selected === undefined ? {} : { ...selectorOf(selected), 'sidecar.istio.io/inject': 'true' }
}

const selectorOf = (spec: SidecarSpec): Labels => spec.workloadSelector?.labels ?? {}

async function sidecars(kube: Kube, namespace: string): Promise<readonly SidecarSpec[]> {
  return (await kube.list({ apiVersion: 'networking.istio.io/v1', kind: 'Sidecar' }, { namespace })).map(specOf)
}
