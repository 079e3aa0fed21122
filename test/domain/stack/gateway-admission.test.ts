import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { developerGateway, gatewayLabels, isAdmitted, mayAttach } from '../../../src/domain/stack/gateway-admission.ts'

const gateway = (selector?: Readonly<Record<string, string>>, annotations = {}): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  metadata: { name: 'theirs', namespace: 'evil', annotations },
  spec: { ...(selector === undefined ? {} : { selector }), servers: [] },
})

const OWN = developerGateway({ namespace: 'kube-registry' })
const LABELS = gatewayLabels(OWN)
const PODS = [{ ...LABELS, 'pod-template-hash': 'abc', 'topology.kubernetes.io/zone': 'z1' }]
const OURS = 'registry-ingress'

describe("somebody else's Gateway", () => {
  test.each<[string, KubeObject, { admitted: boolean; attaches: boolean }]>([
    ['of a gateway of theirs', gateway({ app: 'theirs' }), { admitted: true, attaches: false }],
    ["of Istio's own", gateway({ istio: 'ingressgateway' }), { admitted: true, attaches: false }],
    ['of theirs and our label', gateway({ app: 'theirs', istio: OURS }), { admitted: true, attaches: false }],
    ['without selector', gateway(), { admitted: false, attaches: true }],
    ['with an empty one', gateway({}), { admitted: false, attaches: true }],
    ['with our label', gateway({ app: OURS }), { admitted: false, attaches: true }],
    ['with all of them', gateway(LABELS), { admitted: false, attaches: true }],
    ['by a label of theirs alone', gateway({ team: 'a' }), { admitted: false, attaches: false }],
    ['by our label and one of theirs', gateway({ app: OURS, team: 'a' }), { admitted: false, attaches: false }],
    ['by host name', gateway({ 'kubernetes.io/hostname': 'node1' }), { admitted: false, attaches: true }],
    ['by cluster', gateway({ 'topology.istio.io/cluster': 'Kubernetes' }), { admitted: false, attaches: true }],
    ['by the zone of our pod', gateway({ 'topology.kubernetes.io/zone': 'z1' }), { admitted: false, attaches: true }],
    [
      'by a zone where it may be next',
      gateway({ 'topology.kubernetes.io/zone': 'z2' }),
      { admitted: false, attaches: true },
    ],
    ['by our hash', gateway({ 'pod-template-hash': 'abc' }), { admitted: false, attaches: true }],
    [
      'by cluster and our label',
      gateway({ app: OURS, 'topology.istio.io/cluster': 'Kubernetes' }),
      { admitted: false, attaches: true },
    ],
    [
      'that says it is made by istiod',
      gateway({ app: 'theirs' }, { 'internal.istio.io/gateway-service': 'x' }),
      { admitted: false, attaches: true },
    ],
  ])('%s', (_, object, { admitted, attaches }) => {
    expect(isAdmitted(object, OURS)).toBe(admitted)
    expect(mayAttach(object, OURS, PODS)).toBe(attaches)
  })
})
