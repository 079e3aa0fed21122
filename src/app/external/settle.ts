import { issuerRef, keysOf, requestAuthentication } from '../../domain/external/issuer.ts'
import type { Keys } from '../../domain/external/keys.ts'
import { noMount, noMountRef } from '../../domain/external/no-mount.ts'
import { passwordRef, tokenAsPassword } from '../../domain/external/password.ts'
import { exposeNamespace, type Installation } from '../../domain/installation.ts'
import { exposePrincipal, tokenHosts } from '../../domain/policy/exposure.ts'
import type { Kube } from '../../ports.ts'
import { settleObject } from '../cluster/settle.ts'
import { readExposures } from '../expose/exposures.ts'
import { namespaceRef } from '../grant/grants.ts'
import { settlePolicies } from '../policies/settle.ts'
import { readExternalGrants } from './grants.ts'

/**
 * Makes everything follow the external grants that are in the cluster now: their issuers, the refusal of mounts, the fence. The
 * fence comes last where it lets somebody in, and first where it shuts somebody out.
 * @param given keys that replace those an issuer has; without it they stay
 */
export async function settleExternal(
  kube: Kube,
  at: Installation,
  issuers: readonly string[],
  options: { readonly opening: boolean; readonly given?: Keys | undefined },
): Promise<void> {
  if (!options.opening) await settlePolicies(kube, at)
  await settleObject(kube, noMountRef(at), async (before) =>
    (await readExternalGrants(kube, at)).length === 0
      ? undefined
      : noMount(at, exposePrincipal(at), before?.metadata.resourceVersion),
  )
  await settleObject(kube, passwordRef(at), async (before) => {
    const [exposures, external] = await Promise.all([readExposures(kube, at), readExternalGrants(kube, at)])
    // Where an exposure was interrupted before it came to its gateway, the filter comes with that.
    const home = await kube.get(namespaceRef(exposeNamespace(at)))
    const isWanted = external.length > 0 && tokenHosts(exposures).length > 0 && home !== undefined
    return isWanted ? tokenAsPassword(at, before?.metadata.resourceVersion) : undefined
  })
  for (const issuer of new Set(issuers))
    await settleObject(kube, issuerRef(at, issuer), async (before) => {
      const keys = options.given ?? (before === undefined ? {} : keysOf(before))
      return requestAuthentication(
        at,
        issuer,
        keys,
        await readExternalGrants(kube, at),
        before?.metadata.resourceVersion,
      )
    })
  if (options.opening) await settlePolicies(kube, at)
}
