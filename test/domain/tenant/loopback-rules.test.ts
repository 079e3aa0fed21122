import type { V1PodSpec } from '@kubernetes/client-node'
import { expect, test } from 'vitest'
import { loopbackFaults } from '../../../src/domain/tenant/loopback-rules.ts'

const containing = (more: object): V1PodSpec => ({ containers: [{ name: 'c', ...more }] })
const get = (host?: string) => ({ httpGet: { port: 5000, ...(host === undefined ? {} : { host }) } })

test.each<[string, V1PodSpec, number]>([
  ['nothing', { containers: [] }, 0],
  ['hostNetwork', { containers: [], hostNetwork: true }, 1],
  ['hostPID', { containers: [], hostPID: true }, 1],
  ['hostIPC', { containers: [], hostIPC: true }, 0],
  ['a probe of the pod itself', containing({ livenessProbe: get() }), 0],
  ['one of an empty host', containing({ livenessProbe: get('') }), 0],
  ['one of another machine', containing({ livenessProbe: get('10.1.2.3') }), 0],
  ['one of loopback', containing({ livenessProbe: get('127.0.0.1') }), 1],
  ['one of all of loopback', containing({ readinessProbe: get('127.8.8.8') }), 1],
  ['one of no address', containing({ startupProbe: { tcpSocket: { host: '0.0.0.0', port: 1 } } }), 1],
  ['one of a name', containing({ startupProbe: get('any.example.com') }), 1],
  ['one of an odd number', containing({ livenessProbe: get('2130706433') }), 1],
  ['one of six parts', containing({ livenessProbe: get('::1') }), 1],
  ['a hook', containing({ lifecycle: { postStart: get('localhost') } }), 1],
  ['the other hook', containing({ lifecycle: { preStop: { tcpSocket: { host: '127.1', port: 1 } } } }), 1],
  ['an init container', { containers: [], initContainers: [{ name: 'i', livenessProbe: get('localhost') }] }, 1],
  ['two at once', { ...containing({ livenessProbe: get('a'), readinessProbe: get('b') }), hostNetwork: true }, 3],
])('%s', (_, spec, count) => expect(loopbackFaults(spec)).toHaveLength(count))
