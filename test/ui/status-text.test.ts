import { expect, test } from 'vitest'
import type { PodState } from '../../src/app/inspect/pod-state.ts'
import type { Status } from '../../src/app/inspect/status.ts'
import { statusText } from '../../src/ui/status-text.ts'
import { plain } from './plain.ts'

const pod = (node: string, more: Partial<PodState> = {}): PodState => ({
  pod: `pod-${node}`,
  node,
  ready: true,
  image: 'registry:3',
  imageId: 'registry@sha256:01',
  ...more,
})

const STATUS: Status = {
  namespace: 'kube-registry',
  port: 5001,
  registry: [pod('node1')],
  nodeProxy: 'sidecar',
  nodes: [
    { node: 'node1', proxy: pod('node1', { image: 'proxyv2:1.31.0' }) },
    { node: 'node2', proxy: pod('node2', { image: 'proxyv2:1.31.0' }) },
  ],
  developerIngress: null,
  openPorts: [],
  exposures: [],
  external: [],
  grants: [{ namespace: 'ci', repository: 'team', exact: false, readOnly: false }],
  tenants: [],
  accepted: [],
  storage: { kind: 'pvc', size: '20Gi', phase: 'Bound', usedBytes: 3 * 2 ** 20 },
  versions: { kubernetes: 'v1.36.0', proxy: 'proxyv2:1.31.0' },
  problems: [],
}

test('all is well', () => {
  expect(plain(statusText(STATUS))).toBe(
    [
      'WHAT         WHERE   STATE   IMAGE',
      'registry     node1   ready   registry@sha256:01',
      'node proxy   node1   ready   proxyv2:1.31.0',
      'node proxy   node2   ready   proxyv2:1.31.0',
      '',
      'Storage: pvc 20Gi Bound, 3.0 MiB used. Kubernetes v1.36.0. Grants: 1.',
      '',
      'All is well: localhost:5001 serves on every node.',
    ].join('\n'),
  )
})

test('what is not ready or missing, and every problem with its fix', () => {
  const text = plain(
    statusText({
      ...STATUS,
      registry: [pod('', { ready: false, imageId: '' })],
      nodes: [{ node: 'node1', proxy: null }],
      problems: [
        { what: 'no registry pod is ready', fix: 'regctl up' },
        { what: 'node node1 has no ready proxy', fix: 'kubectl get pods' },
      ],
    }),
  )
  expect(text).toContain('registry             not ready   registry:3\nnode proxy   node1   missing')
  expect(text).toMatch(
    /✖ no registry pod is ready\n {2}fix: regctl up\n✖ node node1 has no ready proxy\n {2}fix: kubectl get pods$/,
  )
  expect(text).not.toContain('All is well')
})

test.each([
  [{ kind: 'emptydir' }, 'Storage: emptydir.'],
  [{ kind: 'emptydir', usedBytes: 0 }, 'Storage: emptydir, 0.0 MiB used.'],
  [{ kind: 'pvc', size: '20Gi', phase: 'missing' }, 'Storage: pvc 20Gi missing.'],
  [{ kind: 'pvc', size: '20Gi', phase: 'Bound', usedBytes: 2 ** 30 - 1 }, 'Storage: pvc 20Gi Bound, 1024.0 MiB used.'],
  [{ kind: 'pvc', size: '20Gi', phase: 'Bound', usedBytes: 1.5 * 2 ** 30 }, 'Storage: pvc 20Gi Bound, 1.5 GiB used.'],
  [
    { kind: 'pvc', size: '1Gi', phase: 'Bound', usedBytes: 2 ** 20, fullPercent: 12 },
    'Storage: pvc 1Gi Bound, 1.0 MiB used, its volume 12 % full.',
  ],
] as const)('%j', (storage, expected) => expect(plain(statusText({ ...STATUS, storage }))).toContain(expected))

test('what others keep in a private tenant, and what ends it', () => {
  const use = {
    kind: 'external grant',
    object: 'repo:o/r team-a/app',
    why: 'repo:o/r of https://ci.example may push team-a/app',
    fix: 'regctl revoke-external team-a/app',
  } as const
  expect(plain(statusText({ ...STATUS, accepted: [use] }))).toContain(
    [
      'ACCEPTED IN A PRIVATE TENANT                         END IT BY',
      'repo:o/r of https://ci.example may push team-a/app   regctl revoke-external team-a/app',
    ].join('\n'),
  )
})
