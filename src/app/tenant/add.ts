import type { Installation } from '../../domain/installation.ts'
import type { KubeObject } from '../../domain/kube-object.ts'
import { type Grant, grantKey, grantPolicy } from '../../domain/policy/grant.ts'
import { isOwnNamespace } from '../../domain/stack/stack.ts'
import {
  findTenant,
  privateOnes,
  type Tenant,
  type Tenants,
  tenantGrant,
  withTenant,
} from '../../domain/tenant/tenants.ts'
import { conflictError, preconditionError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { meshTrustDomain } from '../cluster/mesh.ts'
import { together } from '../cluster/together.ts'
import { type BuilderOptions, type BuilderPlan, planBuilder, prepareBuilder } from '../grant/builder.ts'
import { settleContextFirst } from '../grant/context-first.ts'
import { overlapWarnings, requireNamespace, requireServiceAccount } from '../grant/grant.ts'
import { ownerOf, readGrants } from '../grant/grants.ts'
import { settlePolicies, settleTenants } from '../policies/settle.ts'
import { proveAdmission } from './in-force.ts'
import { proveTenants } from './prove.ts'
import { changeTenants, readTenants } from './state.ts'
import { takeTenantsBack } from './undo.ts'
import { type Coming, foreignUses, registryAddresses, type Use } from './uses.ts'

export type TenantsWanted = {
  readonly namespaces: readonly string[]
  /** Absent keeps what it is; a new one is public. */
  readonly private?: boolean
  /** Absent for all of the namespace. */
  readonly serviceAccount?: string
}

export type TenantOptions = Omit<BuilderOptions, 'revision'> & { readonly accept: boolean; readonly timeoutMs: number }

export type AddResult = {
  readonly tenants: readonly { readonly namespace: string; readonly private: boolean; readonly changed: boolean }[]
  /** What stands against it and stays, because `--accept` said so. */
  readonly accepted: readonly Use[]
  readonly warnings: readonly string[]
  /** Registry proxies it was proven in; 0 when none is ready. */
  readonly provenIn: number
}

/**
 * Gives each namespace the repository of its name, and where it is private keeps everybody else out: at the registry's
 * proxy, and at admission, which decides whose pods may pull. What cannot be proven is taken back.
 */
export async function addTenants(
  ports: Ports,
  registryNamespace: string,
  wanted: TenantsWanted,
  options: TenantOptions,
): Promise<AddResult> {
  const { kube, report } = ports
  const { at, settings } = await requireInstalled(kube, registryNamespace)
  const { accept, timeoutMs, ...builder } = options
  const places = await placesOf(ports, at, wanted)
  const before = await readTenants(kube, at)
  const coming = await whatComes(ports, at, before, places, wanted)
  const uses = await foreignUses(kube, at, coming)
  if (uses.length > 0 && !accept) throw used(coming, uses)
  const revision = settings.revision === undefined ? {} : { revision: settings.revision }
  const plans: ReadonlyMap<string, BuilderPlan> = new Map(
    await together(places, async (place) => [
      place.metadata.name,
      await planBuilder(kube, at, place, { ...builder, ...revision }),
    ]),
  )
  const trustDomain = await meshTrustDomain(ports, at, settings.revision)
  const grants = await readGrants(kube, at)
  const held = new Set(grants.map(grantKey))
  const wantedGrants = places.map(({ metadata: { name } }) => grantOfTenant(coming.state, name, wanted))
  const undo = takeTenantsBack(
    ports,
    at,
    before,
    places,
    wantedGrants.filter((grant) => !held.has(grantKey(grant))),
  )
  await report.step('Apply the policies', async () => {
    await record(ports, at, coming, places, uses, wantedGrants, held)
    await settleTenants(kube, at).catch(undo)
    await giveGrants(ports, at, places, wantedGrants).catch(undo)
  })
  const warnings = await report.step('Prepare the namespaces', (note) =>
    prepare(ports, at, places, plans, note).catch(undo),
  )
  const names = places.map(({ metadata }) => metadata.name)
  const provenIn = await report.step("Prove them in the registry's proxy", () =>
    proveTenants(ports, at, trustDomain, names, timeoutMs).catch(undo),
  )
  const [first] = coming.privates
  if (first !== undefined)
    await report.step('Prove them in admission', () =>
      proveAdmission(ports, at, first, coming.state, timeoutMs).catch(undo),
    )
  // What came while nobody was refused yet is there now.
  const late = accept ? [] : await foreignUses(kube, at, coming)
  if (late.length > 0) await undo(used(coming, late))
  return {
    tenants: places.map(({ metadata: { name } }) => ({
      namespace: name,
      private: findTenant(coming.state, name)?.private === true,
      changed: coming.tenants.includes(name) || coming.privates.includes(name),
    })),
    accepted: uses,
    warnings: [...wantedGrants.flatMap((grant) => overlapWarnings(grant, grants)), ...warnings],
    provenIn,
  }
}

async function placesOf(ports: Ports, at: Installation, wanted: TenantsWanted): Promise<readonly KubeObject[]> {
  if (wanted.private === true && !(await ports.kube.serves(POLICY_TYPE)))
    throw preconditionError(
      'NO_ADMISSION_POLICY',
      'the cluster has no ValidatingAdmissionPolicy, and without it any pod could pull what is private',
      { suggestions: ['leave --private out', 'Kubernetes 1.30 and later has it'] },
    )
  return Promise.all(
    wanted.namespaces.map(async (name) => {
      if (isOwnNamespace(at, name))
        throw conflictError('OWN_NAMESPACE', `namespace "${name}" is the registry's own, and no tenant`, {
          suggestions: ['kubectl create namespace TEAM, and regctl tenant add TEAM'],
        })
      const namespace = await requireNamespace(ports, name)
      await requireServiceAccount(ports, {
        namespace: name,
        ...(wanted.serviceAccount === undefined ? {} : { serviceAccount: wanted.serviceAccount }),
      })
      return namespace
    }),
  )
}

const POLICY_TYPE = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy' } as const

async function whatComes(
  { kube }: Ports,
  at: Installation,
  before: Tenants,
  places: readonly KubeObject[],
  wanted: TenantsWanted,
): Promise<Coming> {
  const tenants: string[] = []
  const privates: string[] = []
  let state: Tenants = { ...before, addresses: await registryAddresses(kube, at) }
  for (const { metadata } of places) {
    const { name, uid = '' } = metadata
    const known = findTenant(before, name)
    const same = known?.uid === uid ? known : undefined
    const tenant: Tenant = { ...same, namespace: name, uid, private: wanted.private ?? known?.private ?? false }
    state = withTenant(state, tenant)
    if (same === undefined) tenants.push(name)
    if (tenant.private && same?.private !== true) privates.push(name)
  }
  // What is asked of private tenants is asked of those too that were public before.
  return {
    state,
    tenants: [...new Set([...tenants, ...privates])],
    privates,
    known: before.tenants.map(({ namespace }) => namespace),
    isFirst: privateOnes(before).length === 0,
  }
}

/** The grant it has, or the one it is to have. */
function grantOfTenant(state: Tenants, name: string, { serviceAccount }: TenantsWanted): Grant {
  const kept = findTenant(state, name)?.granted
  if (serviceAccount === undefined) return tenantGrant(name, kept ?? null)
  if (kept !== undefined && kept !== serviceAccount)
    throw conflictError(
      'TENANT_ACCOUNT',
      `${name} is pushed to by ${kept ?? 'every service account'} of the namespace`,
      {
        suggestions: [
          `regctl grant ${name} ${name} --service-account ${serviceAccount}, to add one`,
          `regctl tenant remove ${name}, and add it again`,
        ],
      },
    )
  return tenantGrant(name, serviceAccount)
}

async function record(
  { kube }: Ports,
  at: Installation,
  { state, isFirst }: Coming,
  places: readonly KubeObject[],
  uses: readonly Use[],
  grants: readonly Grant[],
  held: ReadonlySet<string>,
): Promise<void> {
  const exempt = isFirst ? uses.filter(({ exempts }) => exempts).map(({ namespace }) => namespace) : []
  await changeTenants(kube, at, (now) => {
    let next: Tenants = { ...now, addresses: state.addresses, exempt: [...now.exempt, ...exempt] }
    places.forEach(({ metadata: { name } }, index) => {
      const tenant = findTenant(state, name)
      const grant = grants[index]
      if (tenant === undefined || grant === undefined) return
      const made = held.has(grantKey(grant)) ? {} : { granted: grant.serviceAccount ?? null }
      next = withTenant(next, { ...tenant, ...made })
    })
    return next
  })
}

async function giveGrants(
  { kube }: Ports,
  at: Installation,
  places: readonly KubeObject[],
  grants: readonly Grant[],
): Promise<void> {
  await together([...places.entries()], async ([index, place]) => {
    const grant = grants[index]
    if (grant !== undefined) await kube.apply(grantPolicy(at, grant, ownerOf(place)), { force: true })
  })
  await settlePolicies(kube, at)
}

async function prepare(
  { kube }: Ports,
  at: Installation,
  places: readonly KubeObject[],
  plans: ReadonlyMap<string, BuilderPlan>,
  note: (text: string) => void,
): Promise<readonly string[]> {
  await together(places, async (place) => {
    note(place.metadata.name)
    const plan = plans.get(place.metadata.name)
    if (plan !== undefined) await prepareBuilder(kube, place, plan)
  })
  return (await settleContextFirst(kube, at, places)).warnings
}

function used({ tenants }: Coming, uses: readonly Use[]) {
  const shown = uses.slice(0, 10).map(({ object, why }) => `${object}: ${why}`)
  const more = uses.length > shown.length ? `; and ${uses.length - shown.length} more` : ''
  return conflictError(
    'TENANT_USED',
    `others use what is to be ${tenants.join(', ')}'s, or could come to it: ${shown.join('; ')}${more}`,
    {
      suggestions: [
        ...new Set(uses.map(({ fix }) => fix)),
        'or add --accept: grants and pods stay as they are, and namespaces named for hostNetwork or probes become exempt',
      ].slice(-8),
      details: { uses },
    },
  )
}
