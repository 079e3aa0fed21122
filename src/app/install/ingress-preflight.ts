import { describeRef, refOf } from '../../domain/kube-object.ts'
import { isDeveloper } from '../../domain/policy/grant.ts'
import { developerGateway } from '../../domain/stack/gateway-admission.ts'
import { conflictError, preconditionError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { foreignToOwn } from '../cluster/gateway.ts'
import type { InstallPlan } from './install-plan.ts'

/** What must hold before developers get a way in, and what they lose with it. */
export async function checkIngress(ports: Ports, plan: InstallPlan): Promise<void> {
  const developers = plan.grants.filter(isDeveloper)
  if (plan.at.developers === true) {
    checkAuthority(plan)
    await checkGateways(ports, plan)
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

/** The admission policy asks whoever makes a Gateway from now on; those that exist it never asks. */
async function checkGateways(ports: Ports, { at, mesh }: InstallPlan): Promise<void> {
  const { attached, refused } = await foreignToOwn(ports, developerGateway(at))
  const named = (objects: typeof attached) => objects.map((object) => describeRef(refOf(object))).join(', ')
  if (attached.length > 0)
    throw conflictError(
      'GATEWAY_ATTACHES',
      `${named(attached)} would attach to the developers' gateway and could open any Service by it`,
      {
        suggestions: attached.map(
          ({ metadata: { name, namespace } }) =>
            `kubectl edit gateways.networking.istio.io -n ${namespace} ${name}, and give its selector a label of its own gateway's pods, such as app`,
        ),
        details: { gateways: attached.map((object) => describeRef(refOf(object))) },
      },
    )
  if (refused.length > 0)
    ports.report.warn(
      `${named(refused)}: the next change will be refused until the selector names app, istio or app.kubernetes.io/name`,
    )
  if (!mesh.admissionPolicies)
    ports.report.warn(
      "This cluster has no ValidatingAdmissionPolicy: whoever may make a Gateway anywhere can open any Service by the developers' gateway",
    )
}
