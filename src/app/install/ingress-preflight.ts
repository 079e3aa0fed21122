import { isDeveloper } from '../../domain/policy/grant.ts'
import { developerGateway } from '../../domain/stack/gateway-admission.ts'
import { preconditionError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { foreignToOwn } from '../cluster/gateway.ts'
import { refuseAttached } from './attached-gateways.ts'
import type { InstallPlan } from './install-plan.ts'

const THEIRS = "the developers' gateway and could open any Service by it"

/** What must hold before developers get a way in, and what they lose with it. */
export async function checkIngress(ports: Ports, plan: InstallPlan): Promise<void> {
  const developers = plan.grants.filter(isDeveloper)
  if (plan.at.developers === true) {
    checkAuthority(plan)
    refuseAttached(ports, await foreignToOwn(ports, developerGateway(plan.at)), THEIRS)
    if (!plan.mesh.admissionPolicies)
      ports.report.warn(
        "This cluster has no ValidatingAdmissionPolicy: whoever may make a Gateway anywhere can open any Service by the developers' gateway",
      )
  } else if (plan.at.outside !== true && developers.length > 0) {
    const names = [...new Set(developers.map(({ developer }) => developer))].join(', ')
    ports.report.warn(`The grants of ${names} lead nowhere without the developers' gateway; regctl revoke ends them`)
  }
}

/** The gateway leads to a Service of the cluster. */
function checkAuthority({ mesh: { authority } }: InstallPlan): void {
  if (/\.svc(\.|$)/.test(authority.host)) return
  throw preconditionError(
    'AUTHORITY_ELSEWHERE',
    `the mesh's certificates come from "${authority.host}", which is no Service of the cluster: developers cannot get one`,
    { suggestions: ['regctl up --no-developer-ingress'] },
  )
}
