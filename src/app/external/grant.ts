import { type ExternalGrant, externalKey, externalName, externalPolicy, scopeOf } from '../../domain/external/grant.ts'
import type { Keys } from '../../domain/external/keys.ts'
import { revokeExternalCommand } from '../../domain/external/revoke-command.ts'
import type { Installation } from '../../domain/installation.ts'
import { exposePrincipal } from '../../domain/policy/exposure.ts'
import { writesOverlap } from '../../domain/policy/grant.ts'
import { RegctlError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { meshTrustDomain } from '../cluster/mesh.ts'
import { readGrants } from '../grant/grants.ts'
import { checkPrivate } from '../tenant/guard.ts'
import { requireHosts } from './entrance.ts'
import { readExternalGrants, readIssuers } from './grants.ts'
import { proveExternal } from './prove.ts'
import { removePolicy } from './revoke.ts'
import { settleExternal } from './settle.ts'

export type ExternalGrantResult = {
  readonly grant: ExternalGrant
  readonly policy: string
  /** Names by which the subject may push. */
  readonly hosts: readonly string[]
  readonly changed: boolean
  readonly warnings: readonly string[]
  /** Registry proxies the grant was proven in; 0 when none is ready. */
  readonly provenIn: number
}

/** Lets a token's subject push, and returns when every Ready registry proxy follows. What cannot be proven is taken back. */
export async function grantExternal(
  ports: Ports,
  registryNamespace: string,
  wanted: ExternalGrant,
  options: { readonly keys?: Keys | undefined; readonly timeoutMs: number },
): Promise<ExternalGrantResult> {
  const { kube, report } = ports
  const { at, settings } = await requireInstalled(kube, registryNamespace)
  const hosts = await requireHosts(kube, at)
  const before = await readExternalGrants(kube, at)
  const held = before.some((other) => externalKey(other) === externalKey(wanted))
  if (!held) await checkPrivate(kube, at, [wanted.repository])
  const keysBefore = (await readIssuers(kube, at)).get(wanted.issuer)
  const trustDomain = await meshTrustDomain(ports, at, settings.revision)
  const about = { subjects: [wanted.subject], issuers: [wanted.issuer] }
  const undo = undoing(ports, at, wanted, held, keysBefore)
  await report.step('Apply the policies', async () => {
    // First of all, so that whoever may not grant changes nothing.
    await kube.apply(externalPolicy(at, wanted, exposePrincipal(at)), { force: true })
    await settleExternal(kube, at, [wanted.issuer], { opening: true, given: options.keys }).catch(undo)
  })
  const provenIn = await report.step("Prove them in the registry's proxy", () =>
    proveExternal(ports, at, trustDomain, about, options.timeoutMs).catch(undo),
  )
  const keys = options.keys ?? keysBefore ?? {}
  const isOther = keysBefore !== undefined && JSON.stringify(keysBefore) !== JSON.stringify(keys)
  return {
    grant: wanted,
    policy: externalName(wanted),
    hosts,
    changed: !held || isOther,
    warnings: [...keyWarnings(wanted, keys, isOther, before), ...(await overlapWarnings(ports, at, wanted, before))],
    provenIn,
  }
}

function undoing(ports: Ports, at: Installation, wanted: ExternalGrant, held: boolean, keysBefore: Keys | undefined) {
  return async (error: unknown): Promise<never> => {
    try {
      if (!held) await removePolicy(ports.kube, at, wanted)
      await settleExternal(ports.kube, at, [wanted.issuer], { opening: false, given: keysBefore })
    } catch {
      ports.report.warn(`The grant could not be taken back and may be in force: ${revokeExternalCommand(wanted)}`)
      throw error
    }
    throw error instanceof RegctlError ? takenBack(error, wanted, held) : error
  }
}

function takenBack(error: RegctlError, { issuer }: ExternalGrant, held: boolean): RegctlError {
  const lacksKeys = /istiod got no keys/.test(error.message)
  return new RegctlError('cluster', error.code, `${error.message}${held ? '' : '; the grant was taken back'}`, {
    suggestions: lacksKeys
      ? [`hand the public keys of ${issuer} over: --jwks FILE`, 'or tell where istiod can get them: --jwks URL']
      : error.suggestions,
    cause: error,
    ...(error.details === undefined ? {} : { details: error.details }),
  })
}

function keyWarnings(
  { issuer }: ExternalGrant,
  { jwks, jwksUri = issuer }: Keys,
  isOther: boolean,
  before: readonly ExternalGrant[],
): readonly string[] {
  const others = before.filter((one) => one.issuer === issuer).length
  return [
    ...(isOther ? [`${issuer} has other keys now, for all ${others} of its grants`] : []),
    ...(jwks === undefined && jwksUri.startsWith('http:')
      ? [`the keys come over plain HTTP: whoever is between istiod and ${jwksUri} can put in their own`]
      : []),
  ]
}

async function overlapWarnings(
  { kube }: Ports,
  at: Installation,
  wanted: ExternalGrant,
  before: readonly ExternalGrant[],
): Promise<readonly string[]> {
  const others = [
    ...(await readGrants(kube, at)).map((one) => ({ ...one, who: one.developer ?? `namespace ${one.namespace}` })),
    ...before.filter(({ subject }) => subject !== wanted.subject).map((one) => ({ ...scopeOf(one), who: one.subject })),
  ]
  return others
    .filter((other) => writesOverlap(other, scopeOf(wanted)))
    .map(({ who, repository, exact }) => `${who} may write ${repository}${exact ? '' : ' and all below it'} as well`)
}
