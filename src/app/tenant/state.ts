import type { Installation } from '../../domain/installation.ts'
import { describeRef, type KubeObject } from '../../domain/kube-object.ts'
import { mapped } from '../../domain/stack/pod-admission.ts'
import {
  admissionData,
  NO_TENANTS,
  type Tenants,
  tenantsData,
  tenantsObject,
  tenantsOf,
  tenantsRef,
} from '../../domain/tenant/tenants.ts'
import { clusterError, conflictError, RegctlError } from '../../errors.ts'
import type { Kube } from '../../ports.ts'
import { isOurs } from '../cluster/ownership.ts'

const ROUNDS = 50

/** Somebody else wrote it, or took it away. */
const CHANGED = new Set(['CONFLICT_CHANGED', 'NOT_FOUND'])

/** Who the tenants are, as the cluster has it. */
export async function readTenants(kube: Kube, at: Pick<Installation, 'namespace'>): Promise<Tenants> {
  return tenantsOf(await tenantsRecord(kube, at))
}

/** @throws conflict error NOT_OURS where somebody else has an object of that name */
export async function tenantsRecord(kube: Kube, at: Pick<Installation, 'namespace'>): Promise<KubeObject | undefined> {
  const found = await kube.get(tenantsRef(at))
  if (found === undefined || isOurs(found, at)) return found
  throw conflictError('NOT_OURS', `${describeRef(tenantsRef(at))} exists and is not regctl's`, {
    suggestions: [`kubectl get configmap -n ${at.namespace} tenants -o yaml`],
  })
}

/**
 * Writes what `change` makes of the state, which it is asked anew where somebody else wrote meanwhile. `undefined` changes
 * nothing. Without a tenant there is nothing to keep, so the record goes.
 */
export async function changeTenants(
  kube: Kube,
  at: Installation,
  change: (state: Tenants) => Tenants | undefined,
): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round++) {
    const found = await tenantsRecord(kube, at)
    const wanted = change(found === undefined ? NO_TENANTS : tenantsOf(found))
    if (wanted === undefined) return false
    checkSize(wanted)
    try {
      if (await write(kube, at, found, wanted)) return true
    } catch (error) {
      if (!(error instanceof RegctlError) || !CHANGED.has(error.code)) throw error
    }
  }
  throw clusterError(
    'TENANTS_BUSY',
    `${describeRef(tenantsRef(at))} was changed ${ROUNDS} times while regctl changed it`,
    {
      suggestions: ['run the command again'],
    },
  )
}

/** CEL takes 100,000 characters in one expression. */
const LONGEST = 95_000

/** @throws conflict error (exit 4) TOO_MANY_TENANTS */
function checkSize(state: Tenants): void {
  if (mapped(admissionData(state)).length <= LONGEST) return
  throw conflictError(
    'TOO_MANY_TENANTS',
    `${state.tenants.length} tenants with ${state.shares.length} shares are more than one admission policy can tell apart`,
    { suggestions: ['regctl tenant list, then regctl tenant remove or regctl unshare what nobody needs'] },
  )
}

async function write(kube: Kube, at: Installation, found: KubeObject | undefined, wanted: Tenants): Promise<boolean> {
  if (found === undefined)
    return wanted.tenants.length === 0 || (await kube.create(tenantsObject(at, wanted))) !== undefined
  const { uid, resourceVersion } = found.metadata
  const gone = Object.fromEntries(Object.keys(found.data ?? {}).map((key) => [key, null]))
  // The last one's record goes when nothing reads it any more.
  const patch = { metadata: { uid, resourceVersion }, data: { ...gone, ...tenantsData(wanted) } }
  await kube.mergePatch(tenantsRef(at), patch)
  return true
}

/** Takes the record of no tenant away, unless there is one by now. */
export async function dropEmptyRecord(kube: Kube, at: Installation): Promise<void> {
  const found = await tenantsRecord(kube, at)
  const { uid, resourceVersion } = found?.metadata ?? {}
  if (uid === undefined || resourceVersion === undefined || tenantsOf(found).tenants.length > 0) return
  try {
    await kube.remove(tenantsRef(at), { uid, resourceVersion })
  } catch (error) {
    if (!(error instanceof RegctlError) || error.code !== 'CONFLICT_CHANGED') throw error
  }
}
