import { INSTALLATION_LABEL, type Installation } from './installation.ts'
import type { KubeObject } from './kube-object.ts'
import { ACCESS_NAME } from './policy/developer.ts'
import { GRANT_LABEL } from './policy/grant.ts'
import { isLocalRegistry } from './stack/local-registry.ts'
import { isOwnNamespace, STATE } from './stack/stack.ts'

/** A builder's listener; a developer's account and the right to it. */
const GRANTED: Readonly<Record<string, RegExp>> = {
  Sidecar: /^/,
  ServiceAccount: /^/,
  Role: ACCESS_NAME,
  RoleBinding: ACCESS_NAME,
}

/**
 * Is this object the installation's, to be changed and removed with it? The label alone does not say so: whoever may
 * write in a namespace may put it on anything there. Outside of ours only what a grant leaves in its namespace is,
 * and the one ConfigMap that says where the registry is.
 */
export function belongsTo(at: Pick<Installation, 'namespace'>, { kind, metadata }: KubeObject): boolean {
  const { namespace, labels = {} } = metadata
  if (labels[INSTALLATION_LABEL] !== at.namespace) return false
  if (namespace === undefined || isOwnNamespace(at, namespace)) return true
  if (isLocalRegistry({ kind, name: metadata.name, namespace })) return true
  return GRANTED[kind]?.test(metadata.name) === true && labels[GRANT_LABEL] === namespace
}

/** The ConfigMaps that keep an installation's settings: the ones in namespaces that are labelled, too. */
export function statesIn(configMaps: readonly KubeObject[], namespaces: readonly KubeObject[]): readonly KubeObject[] {
  const homes = namespaces.filter(({ metadata: { name, labels } }) => labels?.[INSTALLATION_LABEL] === name)
  const names = new Set(homes.map(({ metadata }) => metadata.name))
  return configMaps.filter(
    ({ metadata: { name, namespace, labels } }) =>
      name === STATE && namespace !== undefined && names.has(namespace) && labels?.[INSTALLATION_LABEL] === namespace,
  )
}
