import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { isPortNamespace } from '../../domain/open-ports/place.ts'
import { type Grant, grantKey, grantName, grantPolicy, isDeveloper, writesOverlap } from '../../domain/policy/grant.ts'
import { shellWord } from '../../domain/shell-word.ts'
import { conflictError, preconditionError } from '../../errors.ts'
import type { Kube, Ports } from '../../ports.ts'
import { type Installed, requireInstalled } from '../cluster/installed.ts'
import { meshTrustDomain } from '../cluster/mesh.ts'
import { settlePolicies } from '../policies/settle.ts'
import { checkTenant } from '../tenant/guard.ts'
import { proveTenants } from '../tenant/prove.ts'
import { type BuilderOptions, type BuilderPlan, planBuilder, prepareBuilder } from './builder.ts'
import { settleContextFirst } from './context-first.ts'
import { namespaceRef, ownerOf, readGrants } from './grants.ts'
import { undoing } from './undo.ts'

export type GrantResult = {
  readonly grant: Grant
  readonly policy: string
  readonly changed: boolean
  /** Labels put on the builder's namespace; the last revoke takes them off. */
  readonly addedLabels: Readonly<Record<string, string>>
  readonly warnings: readonly string[]
  /** Registry proxies the grant was proven in; 0 when none is ready. */
  readonly provenIn: number
}

/**
 * Grants, prepares the builder's namespace, and returns when every Ready registry proxy follows.
 * A grant that cannot be carried out or proven in time is taken back.
 */
export async function grant(
  ports: Ports,
  registryNamespace: string,
  wanted: Grant,
  options: Omit<BuilderOptions, 'revision'> & { readonly timeoutMs: number },
): Promise<GrantResult> {
  const { kube, report } = ports
  const { at, settings }: Installed = await requireInstalled(kube, registryNamespace)
  const namespace = await requireNamespace(ports, wanted.namespace)
  refusePortNamespace(at, wanted.namespace)
  await requireServiceAccount(ports, wanted)
  const before = await readGrants(kube, at)
  const held = before.some((other) => grantKey(other) === grantKey(wanted))
  checkNoDeveloper(wanted, before)
  if (!held) await checkTenant(kube, at, wanted)
  const { timeoutMs, ...builder } = options
  const plan = await planBuilder(kube, at, namespace, {
    ...builder,
    ...(settings.revision === undefined ? {} : { revision: settings.revision }),
  })
  const trustDomain = await meshTrustDomain(ports, at, settings.revision)
  const undo = undoing(ports, at, wanted, held)
  await report.step('Apply the policies', async () => {
    // First of all, so that whoever may not grant changes nothing.
    await kube.apply(grantPolicy(at, wanted, ownerOf(namespace)), { force: true })
    // Whoever made it a tenant's in this moment has seen the grant, or is seen here.
    if (!held) await checkTenant(kube, at, wanted).catch(undo)
    await settlePolicies(kube, at).catch(undo)
  })
  const order = await report.step(`Prepare namespace ${wanted.namespace}`, async () => {
    await prepareBuilder(kube, namespace, plan).catch(undo)
    return settleContextFirst(kube, at, [namespace]).catch(undo)
  })
  const provenIn = await report.step("Prove them in the registry's proxy", () =>
    proveTenants(ports, at, trustDomain, [wanted.namespace], timeoutMs).catch(undo),
  )
  return {
    grant: wanted,
    policy: grantName(wanted),
    changed:
      !held ||
      order.changed ||
      plan.sidecar !== undefined ||
      plan.merge !== undefined ||
      Object.keys(plan.labels).length > 0,
    addedLabels: plan.labels,
    warnings: [
      ...overlapWarnings(wanted, before),
      ...preparationRemarks(plan, options),
      ...(await podSecurityWarnings(kube, namespace)),
      ...order.warnings,
    ],
    provenIn,
  }
}

/** A developer's account is worth nothing at the builders' port, whoever is granted there. */
function checkNoDeveloper({ namespace, serviceAccount }: Grant, before: readonly Grant[]): void {
  const developer = before.find(
    (one) => one.namespace === namespace && one.serviceAccount === serviceAccount && isDeveloper(one),
  )?.developer
  if (developer === undefined) return
  throw conflictError('ACCOUNT_TAKEN', `service account ${namespace}/${serviceAccount} is for ${developer}`, {
    suggestions: [`regctl grant ${namespace} REPOSITORY --developer ${shellWord(developer)}`],
  })
}

export async function requireNamespace({ kube }: Ports, name: string): Promise<KubeObject> {
  const namespace = await kube.get(namespaceRef(name))
  if (namespace !== undefined && namespace.metadata.deletionTimestamp === undefined) return namespace
  throw preconditionError(
    'NO_NAMESPACE',
    namespace === undefined ? `namespace "${name}" does not exist` : `namespace "${name}" is being deleted`,
    {
      suggestions: [`kubectl create namespace ${name}`],
    },
  )
}

/** Whoever may attach a Gateway to open ports could use what their gateway's identity may. */
function refusePortNamespace(at: Installed['at'], namespace: string): void {
  if (!isPortNamespace(at, namespace)) return
  throw conflictError('OWN_NAMESPACE', `namespace "${namespace}" is of a gateway, which may not reach the registry`, {
    suggestions: ['kubectl create namespace TEAM, and grant there'],
  })
}

export async function requireServiceAccount(
  { kube }: Ports,
  { namespace, serviceAccount: name }: Pick<Grant, 'namespace' | 'serviceAccount'>,
): Promise<void> {
  if (name === undefined) return
  const found = await kube.get({ apiVersion: 'v1', kind: 'ServiceAccount', namespace, name })
  if (found !== undefined) return
  throw preconditionError(
    'NO_SERVICE_ACCOUNT',
    `service account "${name}" does not exist in namespace "${namespace}"`,
    {
      suggestions: [
        `kubectl create serviceaccount -n ${namespace} ${name}`,
        'leave --service-account out, to grant every one of the namespace',
      ],
    },
  )
}

export function overlapWarnings(wanted: Grant, others: readonly Grant[]): readonly string[] {
  return others
    .filter((other) => whoseOf(other) !== whoseOf(wanted) && writesOverlap(other, wanted))
    .map((other) => `${whoseOf(other)} may write ${other.repository}${other.exact ? '' : ' and all below it'} as well`)
}

const whoseOf = ({ namespace, developer }: Grant): string => developer ?? `namespace ${namespace}`

function preparationRemarks(plan: BuilderPlan, options: Pick<BuilderOptions, 'pods'>): readonly string[] {
  return [
    ...(options.pods === undefined
      ? []
      : [`the pods need the labels ${options.pods.key}=${options.pods.value} and sidecar.istio.io/inject=true`]),
    ...(plan.sidecar === undefined
      ? []
      : [
          `pods of the namespace that run already get localhost at their next start (${describeRef(refOf(plan.sidecar))})`,
        ]),
  ]
}

/** Without Istio's CNI plugin a sidecar's pod has a privileged init container, which these levels refuse. */
async function podSecurityWarnings(kube: Kube, namespace: KubeObject): Promise<readonly string[]> {
  const level = namespace.metadata.labels?.['pod-security.kubernetes.io/enforce']
  if (level !== 'baseline' && level !== 'restricted') return []
  const sets = await kube.list({ apiVersion: 'apps/v1', kind: 'DaemonSet' })
  if (sets.some((set) => set.metadata.name === 'istio-cni-node')) return []
  return [
    `namespace ${namespace.metadata.name} enforces PodSecurity level ${level}, which refuses Istio's init container: its pods will not start until Istio's CNI plugin is installed or the level is privileged`,
  ]
}
