import { mkdir } from 'node:fs/promises'
import { run, until } from './command.ts'
import { controlPlaneIp } from './network.ts'
import { inState, kubeconfig, tools } from './paths.ts'
import { pkiFile } from './pki.ts'
import { requireRunning, start } from './processes.ts'

/** Not etcd's usual port: a developer's machine may have its own. */
const etcdClient = 'http://127.0.0.1:23790'
const etcdPeer = 'http://127.0.0.1:23800'

const flags = (values: Readonly<Record<string, string>>): string[] =>
  Object.entries(values).map(([name, value]) => `--${name}=${value}`)

export async function startControlPlane(hyperkube: string): Promise<void> {
  await mkdir(inState('etcd'), { recursive: true, mode: 0o700 })
  await start('etcd', [
    'etcd',
    ...flags({
      'data-dir': inState('etcd'),
      // Nothing here outlives the machine.
      'unsafe-no-fsync': 'true',
      'listen-client-urls': etcdClient,
      'advertise-client-urls': etcdClient,
      'listen-peer-urls': etcdPeer,
      'initial-advertise-peer-urls': etcdPeer,
      'initial-cluster': `default=${etcdPeer}`,
    }),
  ])
  await start('apiserver', [
    hyperkube,
    'kube-apiserver',
    ...flags({
      'etcd-servers': etcdClient,
      'bind-address': controlPlaneIp,
      'advertise-address': controlPlaneIp,
      'secure-port': '6443',
      'tls-cert-file': pkiFile('apiserver.crt'),
      'tls-private-key-file': pkiFile('apiserver.key'),
      'client-ca-file': pkiFile('ca.crt'),
      'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
      'service-account-key-file': pkiFile('sa.pub'),
      'service-account-signing-key-file': pkiFile('sa.key'),
      'service-cluster-ip-range': '10.96.0.0/16',
      'authorization-mode': 'Node,RBAC',
      'enable-admission-plugins': 'NodeRestriction',
      'allow-privileged': 'true',
      'kubelet-client-certificate': pkiFile('kubelet-client.crt'),
      'kubelet-client-key': pkiFile('kubelet-client.key'),
      'kubelet-certificate-authority': pkiFile('ca.crt'),
      'kubelet-preferred-address-types': 'InternalIP',
      // The API server is outside the pod network: it calls webhooks by pod address, not by Service.
      'enable-aggregator-routing': 'true',
      'endpoint-reconciler-type': 'lease',
      'proxy-client-cert-file': pkiFile('front-proxy.crt'),
      'proxy-client-key-file': pkiFile('front-proxy.key'),
      // Needed because the request header CA is the client CA: else any client certificate could name any user.
      'requestheader-allowed-names': 'front-proxy-client',
      'requestheader-client-ca-file': pkiFile('ca.crt'),
      'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      'requestheader-group-headers': 'X-Remote-Group',
      'requestheader-username-headers': 'X-Remote-User',
    }),
  ])
  await start('controller-manager', [
    hyperkube,
    'kube-controller-manager',
    ...flags({
      kubeconfig: inState('controller-manager.conf'),
      'service-account-private-key-file': pkiFile('sa.key'),
      'root-ca-file': pkiFile('ca.crt'),
      'cluster-signing-cert-file': pkiFile('ca.crt'),
      'cluster-signing-key-file': pkiFile('ca.key'),
      'use-service-account-credentials': 'true',
      'leader-elect': 'false',
      'secure-port': '0',
    }),
  ])
  await start('scheduler', [
    hyperkube,
    'kube-scheduler',
    ...flags({
      kubeconfig: inState('scheduler.conf'),
      'leader-elect': 'false',
      'secure-port': '0',
    }),
  ])
}

export const kubectl = (...args: readonly string[]): Promise<string> =>
  run([`${tools}/kubectl`, '--kubeconfig', kubeconfig, ...args], { env: { HOME: inState('home') } })

export const waitForControlPlane = (): Promise<void> =>
  until(
    'the API server is ready',
    async () => {
      requireRunning('etcd', 'apiserver')
      return (await kubectl('get', '--raw', '/readyz')) === 'ok'
    },
    60,
  )
