import { type ExternalGrant, externalName } from '../../domain/external/grant.ts'
import { revokeExternalCommand } from '../../domain/external/revoke-command.ts'
import type { Installation } from '../../domain/installation.ts'
import { usageError } from '../../errors.ts'
import type { Kube, Ports } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { meshTrustDomain } from '../cluster/mesh.ts'
import { replaceRegistry } from '../grant/revoke.ts'
import { readExternalGrants } from './grants.ts'
import { proveExternal } from './prove.ts'
import { settleExternal } from './settle.ts'

export type ExternalSelection = {
  readonly subject: string
  /** Absent with `--all`. */
  readonly repository?: string
  readonly issuer?: string
  readonly audience?: string
  readonly exact?: boolean
}

export type ExternalRevokeResult = {
  readonly revoked: readonly ExternalGrant[]
  readonly provenIn: number
  readonly replaced: readonly string[]
}

/**
 * Revokes and returns when every Ready registry proxy refuses. What cannot be proven stays revoked and is an error.
 * @throws usage error AMBIGUOUS with the list when several grants fit
 */
export async function revokeExternal(
  ports: Ports,
  registryNamespace: string,
  selection: ExternalSelection,
  options: { readonly now: boolean; readonly timeoutMs: number },
): Promise<ExternalRevokeResult> {
  const { kube, report } = ports
  const { at, settings } = await requireInstalled(kube, registryNamespace)
  const revoked = select(await readExternalGrants(kube, at), selection)
  if (revoked.length === 0) return { revoked, provenIn: 0, replaced: [] }
  const trustDomain = await meshTrustDomain(ports, at, settings.revision)
  await report.step('Remove the policies', async () => {
    for (const grant of revoked) await removePolicy(kube, at, grant)
    await settleExternal(
      kube,
      at,
      revoked.map(({ issuer }) => issuer),
      { opening: false },
    )
  })
  const provenIn = await report.step("Prove the refusal in the registry's proxy", () =>
    proveExternal(ports, at, trustDomain, { subjects: [selection.subject], issuers: [], revoked }, options.timeoutMs),
  )
  return { revoked, provenIn, replaced: options.now ? await replaceRegistry(ports, at) : [] }
}

export const removePolicy = (kube: Kube, at: Installation, grant: ExternalGrant): Promise<boolean> =>
  kube.remove({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    namespace: at.namespace,
    name: externalName(grant),
  })

function select(grants: readonly ExternalGrant[], selection: ExternalSelection): readonly ExternalGrant[] {
  const fits = grants.filter((grant) =>
    (['subject', 'repository', 'issuer', 'audience', 'exact'] as const).every(
      (field) => selection[field] === undefined || selection[field] === grant[field],
    ),
  )
  if (selection.repository === undefined || fits.length < 2) return fits
  throw usageError('AMBIGUOUS', `${fits.length} grants fit`, { suggestions: fits.map(revokeExternalCommand) })
}
