import { describeRef, type KubeObject, refOf } from '../../domain/kube-object.ts'
import { conflictError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import type { ForeignGateways } from '../cluster/gateway.ts'

const named = (objects: readonly KubeObject[]): string => objects.map((object) => describeRef(refOf(object))).join(', ')

/**
 * The admission policy asks whoever makes a Gateway from now on; those that exist it never asks.
 * @throws conflict error GATEWAY_ATTACHES that names them
 */
export function refuseAttached(
  { report }: Pick<Ports, 'report'>,
  { attached, refused }: ForeignGateways,
  /** What they would attach to and could do there. */
  danger: string,
): void {
  if (attached.length > 0)
    throw conflictError('GATEWAY_ATTACHES', `${named(attached)} would attach to ${danger}`, {
      suggestions: attached.map(
        ({ metadata: { name, namespace } }) =>
          `kubectl edit gateways.networking.istio.io -n ${namespace} ${name}, and give its selector a label of its own gateway's pods, such as app`,
      ),
      details: { gateways: attached.map((object) => describeRef(refOf(object))) },
    })
  if (refused.length > 0)
    report.warn(
      `${named(refused)}: the next change will be refused until the selector names app, istio or app.kubernetes.io/name`,
    )
}
