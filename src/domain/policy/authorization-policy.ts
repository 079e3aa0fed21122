import { type Installation, ownerLabels, registrySelector } from '../installation.ts'
import type { KubeObject, OwnerReference } from '../kube-object.ts'

/** The part of Istio's AuthorizationPolicy that regctl writes. https://istio.io/latest/docs/reference/config/security/authorization-policy/ */
export type Source = { readonly principals?: readonly string[]; readonly notPrincipals?: readonly string[] }

export type Operation = {
  readonly ports: readonly string[]
  readonly methods?: readonly string[]
  readonly notMethods?: readonly string[]
  readonly paths?: readonly string[]
  readonly notPaths?: readonly string[]
  readonly hosts?: readonly string[]
  readonly notHosts?: readonly string[]
}

/** `key` such as `request.auth.claims[iss]`. https://istio.io/latest/docs/reference/config/security/conditions/ */
export type Condition = {
  readonly key: string
  readonly values?: readonly string[]
  readonly notValues?: readonly string[]
}

export type Rule = {
  readonly from?: readonly { readonly source: Source }[]
  readonly to: readonly { readonly operation: Operation }[]
  readonly when?: readonly Condition[]
}

export type Spec = { readonly action: 'ALLOW' | 'DENY'; readonly rules: readonly Rule[] }

type PodSelector = { readonly matchLabels: Readonly<Record<string, string>> }

/** An AuthorizationPolicy on the registry's pods, unless it says of which others. */
export function authorizationPolicy(
  at: Installation,
  name: string,
  spec: Spec,
  meta: {
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly owner?: OwnerReference
    readonly on?: { readonly namespace: string; readonly selector: PodSelector }
  } = {},
): KubeObject {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: {
      name,
      namespace: meta.on?.namespace ?? at.namespace,
      labels: { ...ownerLabels(at), ...meta.labels },
      ...(meta.annotations === undefined ? {} : { annotations: meta.annotations }),
      ...(meta.owner === undefined ? {} : { ownerReferences: [meta.owner] }),
    },
    spec: { selector: meta.on?.selector ?? registrySelector, action: spec.action, rules: spec.rules },
  }
}
