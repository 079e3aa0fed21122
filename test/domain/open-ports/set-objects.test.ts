import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import { attachedTo } from '../../../src/domain/open-ports/attached.ts'
import { example } from '../../../src/domain/open-ports/example.ts'
import type { PortSet } from '../../../src/domain/open-ports/port-set.ts'
import { setObjects, setRefs } from '../../../src/domain/open-ports/set-objects.ts'
import { documents } from '../../../src/ui/documents.ts'
import { at } from '../at.ts'
import { find } from '../stack/mesh-as-installed.ts'

const WEB: PortSet = {
  name: 'web',
  ports: [
    { port: 80, targetPort: 8080, address: 'loopback' },
    { port: 443, targetPort: 8443, address: 'all' },
  ],
  nodes: 'ingress=true',
  gatewaysFrom: ['team-a'],
}
const INJECTION = { image: 'proxyv2:1.31.0', revision: undefined }

// A change that is meant: npx vitest run --project unit test/domain/open-ports --update, and read the diff.
test('a set as it is applied, and the example that comes with it', async () => {
  const objects = [...setObjects(at, WEB, INJECTION, true), ...example(at, WEB, 443)]
  await expect(`${documents(objects)}\n`).toMatchFileSnapshot(join(import.meta.dirname, '../../golden/open-ports.yaml'))
})

test('without admission policies there is none, with a revision its proxies are injected', () => {
  const objects = setObjects(at, WEB, { ...INJECTION, revision: 'canary' }, false)
  expect(objects.map(({ kind }) => kind)).not.toContain('ValidatingAdmissionPolicy')
  expect(objects.at(-1)).toMatchObject({
    kind: 'DaemonSet',
    spec: { template: { metadata: { labels: { 'istio.io/rev': 'canary' } } } },
  })
})

test('for all nodes it follows their taints', () => {
  const pod = (set: PortSet) => {
    const { spec } = find(setObjects(at, set, INJECTION, true), 'DaemonSet', 'registry-ports-web')
    return (spec as { template: { spec: object } }).template.spec
  }
  expect(pod({ ...WEB, nodes: '' })).not.toHaveProperty('tolerations')
  expect(pod({ ...WEB, nodes: '' })).not.toHaveProperty('affinity')
  expect(pod(WEB)).toHaveProperty('tolerations', [{ operator: 'Exists' }])
})

test('where its objects are does not depend on what is in it', () => {
  const refs = setObjects(at, WEB, INJECTION, true).map(({ kind, metadata }) => `${kind} ${metadata.name}`)
  expect(setRefs(at, 'web').map(({ kind, name }) => `${kind} ${name}`)).toEqual(refs)
})

describe('a Gateway', () => {
  const gateway = (number: number, selector?: Readonly<Record<string, string>>): KubeObject => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name: 'g', namespace: 'team-a' },
    spec: {
      ...(selector === undefined ? {} : { selector }),
      servers: [{ port: { number, protocol: 'HTTPS' }, hosts: ['./a.example.com', '*.example.org'] }],
    },
  })
  const PORT = { port: 443, targetPort: 8443, address: 'all' } as const
  const attached = (object: KubeObject, ...labels: readonly Record<string, string>[]) =>
    attachedTo(WEB, PORT, [object], labels)
  const USE = { gateway: 'g', namespace: 'team-a', protocol: 'HTTPS', hosts: ['a.example.com', '*.example.org'] }

  test.each<[string, KubeObject, boolean]>([
    ['by one of our labels', gateway(443, { app: 'registry-ports-web' }), true],
    ["by the pod's own port", gateway(8443, { app: 'registry-ports-web' }), true],
    ['by a label of its node', gateway(443, { 'topology.kubernetes.io/zone': 'z' }), true],
    ['without selector', gateway(443), true],
    ['on another port', gateway(80, { app: 'registry-ports-web' }), false],
    ['of another gateway', gateway(443, { app: 'registry-ports-other' }), false],
  ])('%s', (_, object, uses) => {
    expect(attached(object, { app: 'registry-ports-web', 'topology.kubernetes.io/zone': 'z' })).toEqual(
      uses ? [USE] : [],
    )
  })
})
