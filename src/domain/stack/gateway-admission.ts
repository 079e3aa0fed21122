import { EXPOSE, exposeNamespace, INGRESS, type Installation, ingressNamespace, ownerLabels } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'

/** The labels Gateways are customarily selected by. */
const CUSTOMARY = [
  'app',
  'istio',
  'gateway',
  'name',
  'release',
  'service',
  'app.kubernetes.io/name',
  'app.kubernetes.io/instance',
  'app.kubernetes.io/component',
] as const

/** A gateway of regctl's own. */
export type OwnGateway = {
  /** Of its Deployment, Service and service account, and the value of its labels. */
  readonly name: string
  readonly namespace: string
  /** Name of the rule that keeps Gateways of others off it. */
  readonly rule: string
  /** In messages. */
  readonly what: string
}

type Place = Pick<Installation, 'namespace'>

export const developerGateway = (at: Place): OwnGateway => ({
  name: INGRESS,
  namespace: ingressNamespace(at),
  rule: `regctl-gateways-${at.namespace}`,
  what: 'developer gateway',
})

export const exposingGateway = (at: Place): OwnGateway => ({
  name: EXPOSE,
  namespace: exposeNamespace(at),
  rule: `regctl-exposing-gateways-${at.namespace}`,
  what: 'exposing gateway',
})

/** The gateway's pods carry all of them, so that a selector of somebody else's gateway cannot mean them. */
export const gatewayLabels = ({ name }: Pick<OwnGateway, 'name'>): Readonly<Record<string, string>> =>
  Object.fromEntries(CUSTOMARY.map((key) => [key, name]))

/** Annotations with which istiod marks what it made of Gateway API objects; one of them binds a Gateway whatever its selector says. */
const INTERNAL = 'internal.istio.io/'

/**
 * istiod gives a Gateway of any namespace to every pod its selector fits, and one without selector to all of them. It adds
 * labels of its own before it matches, and controllers add theirs, so no list of harmless keys is safe: a selector has to
 * name a label that our pods have with another value.
 */
export function gatewayPolicy(at: Installation, own: OwnGateway): readonly KubeObject[] {
  const metadata = { name: own.rule, labels: ownerLabels(at) }
  const keys = CUSTOMARY.map((key) => `'${key}'`).join(', ')
  return [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          namespaceSelector: {
            matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [own.namespace] }],
          },
          resourceRules: [
            {
              apiGroups: ['networking.istio.io'],
              apiVersions: ['*'],
              operations: ['CREATE', 'UPDATE'],
              resources: ['gateways'],
            },
          ],
        },
        validations: [
          {
            expression: `has(object.spec) && has(object.spec.selector) && [${keys}].exists(k, k in object.spec.selector && object.spec.selector[k] != '${own.name}')`,
            message: `this Gateway could attach to the registry's ${own.what} (namespace ${own.namespace}); give its selector a label of your own gateway's pods, one of: ${CUSTOMARY.join(', ')}`,
          },
          {
            expression: `!has(object.metadata.annotations) || !object.metadata.annotations.exists(k, k.startsWith('${INTERNAL}'))`,
            message: `annotations ${INTERNAL}* are istiod's own; they could attach this Gateway to the registry's ${own.what}`,
          },
        ],
      },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: own.rule, validationActions: ['Deny'] },
    },
  ]
}

const selectorOf = (gateway: KubeObject): Readonly<Record<string, string>> =>
  (gateway.spec as { readonly selector?: Readonly<Record<string, string>> } | undefined)?.selector ?? {}

const isMarked = ({ metadata }: KubeObject): boolean =>
  Object.keys(metadata.annotations ?? {}).some((key) => key.startsWith(INTERNAL))

/** Would the policy let this Gateway in? Those that are there already it never asks. */
export function isAdmitted(gateway: KubeObject, own: OwnGateway): boolean {
  if (isMarked(gateway)) return false
  const selector = selectorOf(gateway)
  return CUSTOMARY.some((key) => selector[key] !== undefined && selector[key] !== own.name)
}

/** Keys that istiod and controllers put on pods, with values nobody can tell beforehand. */
const ADDED = /^(topology\.|kubernetes\.io\/|pod-template-hash$|istio\.io\/|service\.istio\.io\/|security\.istio\.io\/)/

/** Does it attach to our gateway's pods, or might it? */
export function mayAttach(
  gateway: KubeObject,
  own: OwnGateway,
  podLabels: readonly Readonly<Record<string, string>>[],
): boolean {
  if (isAdmitted(gateway, own)) return false
  if (isMarked(gateway)) return true
  const selector = Object.entries(selectorOf(gateway))
  return [gatewayLabels(own), ...podLabels].some((labels) =>
    selector.every(([key, value]) => labels[key] === value || (labels[key] === undefined && ADDED.test(key))),
  )
}
