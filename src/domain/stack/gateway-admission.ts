import { EXPOSE, exposeNamespace, INGRESS, type Installation, ingressNamespace } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { denying } from './admission-policy.ts'

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

/** A gateway of ours that only some namespaces' Gateways may attach to. */
export type GuardedGateway = {
  /** Name of the policy. */
  readonly policy: string
  /** The value its pods have in every customary label; no other gateway's. */
  readonly value: string
  readonly attachable: readonly string[]
  /** In words, for whoever is refused. */
  readonly what: string
}

/** One that an installation has once at most. */
export type OwnGateway = GuardedGateway & {
  /** Of its Deployment, Service and service account, and the value of its labels. */
  readonly name: string
  readonly namespace: string
  readonly title: string
}

type Place = Pick<Installation, 'namespace'>

const own = (name: string, namespace: string, policy: string, title: string): OwnGateway => ({
  name,
  namespace,
  title,
  policy,
  value: name,
  attachable: [namespace],
  what: `the registry's ${title} (namespace ${namespace})`,
})

export const developerGateway = (at: Place): OwnGateway =>
  own(INGRESS, ingressNamespace(at), `regctl-gateways-${at.namespace}`, 'developer gateway')

export const exposingGateway = (at: Place): OwnGateway =>
  own(EXPOSE, exposeNamespace(at), `regctl-exposing-gateways-${at.namespace}`, 'exposing gateway')

/** A gateway's pods carry all of them, so that a selector of somebody else's gateway cannot mean them. */
export const customaryLabels = (value: string): Readonly<Record<string, string>> =>
  Object.fromEntries(CUSTOMARY.map((key) => [key, value]))

export const gatewayLabels = ({ name }: Pick<OwnGateway, 'name'>): Readonly<Record<string, string>> =>
  customaryLabels(name)

/** Annotations with which istiod marks what it made of Gateway API objects; one of them binds a Gateway whatever its selector says. */
const INTERNAL = 'internal.istio.io/'

/**
 * istiod gives a Gateway of any namespace to every pod its selector fits, and one without selector to all of them. It adds
 * labels of its own before it matches, and controllers add theirs, so no list of harmless keys is safe: a selector has to
 * name a label that our pods have with another value.
 */
export function gatewayPolicy(
  at: Pick<Installation, 'namespace'>,
  { policy, value, attachable, what }: GuardedGateway,
): readonly KubeObject[] {
  const keys = CUSTOMARY.map((key) => `'${key}'`).join(', ')
  return denying(at, policy, {
    except: attachable,
    resourceRules: [
      {
        apiGroups: ['networking.istio.io'],
        apiVersions: ['*'],
        operations: ['CREATE', 'UPDATE'],
        resources: ['gateways'],
      },
    ],
    validations: [
      {
        expression: `has(object.spec) && has(object.spec.selector) && [${keys}].exists(k, k in object.spec.selector && object.spec.selector[k] != '${value}')`,
        message: `this Gateway could attach to ${what}; give its selector a label of your own gateway's pods, one of: ${CUSTOMARY.join(', ')}`,
      },
      {
        expression: `!has(object.metadata.annotations) || !object.metadata.annotations.exists(k, k.startsWith('${INTERNAL}'))`,
        message: `annotations ${INTERNAL}* are istiod's own; they could attach this Gateway to ${what}`,
      },
    ],
  })
}

const selectorOf = (gateway: KubeObject): Readonly<Record<string, string>> =>
  (gateway.spec as { readonly selector?: Readonly<Record<string, string>> } | undefined)?.selector ?? {}

const isMarked = ({ metadata }: KubeObject): boolean =>
  Object.keys(metadata.annotations ?? {}).some((key) => key.startsWith(INTERNAL))

/** Would the policy let this Gateway in? Those that are there already it never asks. */
export function isAdmitted(gateway: KubeObject, value: string): boolean {
  if (isMarked(gateway)) return false
  const selector = selectorOf(gateway)
  return CUSTOMARY.some((key) => selector[key] !== undefined && selector[key] !== value)
}

/** Keys that istiod and controllers put on pods, with values nobody can tell beforehand. */
const ADDED =
  /^(topology\.|kubernetes\.io\/|pod-template-(hash|generation)$|controller-revision-hash$|istio\.io\/|service\.istio\.io\/|security\.istio\.io\/)/

/** Does it attach to the pods of our gateway with that value, or might it? */
export function mayAttach(
  gateway: KubeObject,
  value: string,
  podLabels: readonly Readonly<Record<string, string>>[],
): boolean {
  if (isAdmitted(gateway, value)) return false
  if (isMarked(gateway)) return true
  const selector = Object.entries(selectorOf(gateway))
  return [customaryLabels(value), ...podLabels].some((labels) =>
    selector.every(([key, value]) => labels[key] === value || (labels[key] === undefined && ADDED.test(key))),
  )
}
