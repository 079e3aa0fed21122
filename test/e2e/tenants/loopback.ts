import { images } from '../images.ts'
import { container, type Spec } from './kit.ts'

const probed = (more: object): Spec => ({ containers: [container(images.toolbox, more as Spec)] })
const get = (target: string) => ({ httpGet: { host: target, port: 5000, path: '/v2/' } })

/** Pods that would come to their node's loopback, by themselves or through the kubelet. */
export const reaching: readonly Spec[] = [
  { hostNetwork: true, containers: [container(images.toolbox)] },
  probed({ livenessProbe: get('127.0.0.1') }),
  probed({ readinessProbe: get('localhost') }),
  probed({ startupProbe: get('LOCALHOST.') }),
  probed({ livenessProbe: { tcpSocket: { host: '127.1', port: 5000 } } }),
  probed({ lifecycle: { postStart: get('[::1]') } }),
  probed({ lifecycle: { preStop: get('2130706433') } }),
  probed({ lifecycle: { preStop: { tcpSocket: { host: '0.0.0.0', port: 5000 } } } }),
  probed({ livenessProbe: get('loopback.example.com') }),
  {
    initContainers: [container(images.toolbox, { name: 'i', restartPolicy: 'Always', startupProbe: get('127.9') })],
    containers: [container(images.toolbox)],
  },
]

/** Pods with probes and hooks that do not. */
export const harmless: readonly Spec[] = [
  probed({ livenessProbe: { httpGet: { port: 80 } } }),
  probed({ livenessProbe: get('10.0.0.5') }),
  probed({ livenessProbe: { exec: { command: ['true'] } }, lifecycle: { preStop: { sleep: { seconds: 1 } } } }),
]
