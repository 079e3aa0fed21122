import { RegctlCommand } from '../command.ts'
import type { ExternalGrant } from '../domain/external/grant.ts'
import type { Exposure } from '../domain/policy/exposure.ts'
import type { Grant } from '../domain/policy/grant.ts'
import { privateOnes } from '../domain/tenant/tenants.ts'

type GrantsResult = {
  readonly grants: readonly Grant[]
  readonly exposures: readonly Exposure[]
  /** To those outside, by their tokens. */
  readonly external: readonly ExternalGrant[]
}

export default class Grants extends RegctlCommand {
  static override summary = 'List the grants and exposures in force.'
  static override examples = ['<%= config.bin %> grants']

  async run(): Promise<GrantsResult> {
    const { flags } = await this.parse(Grants)
    const ports = await this.ports(flags)
    const [
      { readGrants },
      { readExposures },
      { requireInstalled },
      { table },
      { granteeText },
      { repositoriesText, wayText },
      { readExternalGrants },
      { externalTable },
      { readTenants },
    ] = await Promise.all([
      import('../app/grant/grants.ts'),
      import('../app/expose/exposures.ts'),
      import('../app/cluster/installed.ts'),
      import('../ui/table.ts'),
      import('../ui/grant-text.ts'),
      import('../ui/expose-text.ts'),
      import('../app/external/grants.ts'),
      import('../ui/external-text.ts'),
      import('../app/tenant/state.ts'),
    ])
    const { at } = await requireInstalled(ports.kube, flags.namespace)
    const grants = [...(await readGrants(ports.kube, at))].sort((a, b) =>
      `${a.namespace} ${a.repository}` < `${b.namespace} ${b.repository}` ? -1 : 1,
    )
    const rows = grants.map((grant) => [
      grant.namespace,
      granteeText(grant),
      grant.exact ? grant.repository : `${grant.repository} and below`,
      grant.readOnly ? 'read' : 'write',
    ])
    this.log(
      rows.length === 0
        ? 'No grants. Next: regctl grant NAMESPACE REPOSITORY'
        : table(['NAMESPACE', 'SERVICE ACCOUNT', 'REPOSITORY', 'ACCESS'], rows),
    )
    const apart = privateOnes(await readTenants(ports.kube, at)).map((tenant) => tenant.namespace)
    if (apart.length > 0)
      this.log(`Writers read everything but what is private: ${apart.join(', ')} (regctl tenant list).`)
    const exposures = await readExposures(ports.kube, at)
    if (exposures.length > 0)
      this.log(
        `\n${table(
          ['EXPOSED AS', 'REPOSITORIES', 'TLS'],
          exposures.map((one) => [one.host, repositoriesText(one), wayText(one)]),
        )}`,
      )
    const external = await readExternalGrants(ports.kube, at)
    if (external.length > 0) this.log(`\n${externalTable(external)}`)
    return { grants, exposures, external }
  }
}
