import { run } from './command.ts'

export interface NodePlace {
  readonly name: string
  readonly ip: string
  readonly podCidr: string
  readonly namespace: string
  readonly veth: string
}

export const bridge = 'regctl-lab0'
export const controlPlaneIp = '172.30.0.1'

/** Pod ranges are fixed in this order: the controller manager hands them out by registration, so each Node names its own. */
export const places: readonly NodePlace[] = [1, 2].map((number) => ({
  name: `node${number}`,
  ip: `172.30.0.${10 + number}`,
  podCidr: `10.244.${number}.0/24`,
  namespace: `regctl-lab-node${number}`,
  veth: `regctl-lab-n${number}`,
}))

/** `ip netns exec` would remount /sys and hide the cgroup mounts from the kubelet. */
export const inNode = (place: NodePlace): readonly string[] => [
  'nsenter',
  `--net=/var/run/netns/${place.namespace}`,
  '--',
]

/** dockerd sets the FORWARD policy to DROP, and br_netfilter applies it to bridged frames. */
export const forwardRules: readonly (readonly string[])[] = ['-i', '-o'].map((side) => [
  'FORWARD',
  side,
  bridge,
  '-m',
  'comment',
  '--comment',
  'regctl-lab',
  '-j',
  'ACCEPT',
])

export async function createNetwork(): Promise<void> {
  await run(['ip', 'link', 'add', bridge, 'type', 'bridge'])
  await run(['ip', 'addr', 'add', `${controlPlaneIp}/24`, 'dev', bridge])
  await run(['ip', 'link', 'set', bridge, 'up'])
  for (const rule of forwardRules) await run(['iptables', '-w', '-I', ...rule])
  for (const place of places) await createNodeNetwork(place)
  // The API server calls webhooks by pod address.
  for (const place of places) await run(['ip', 'route', 'add', place.podCidr, 'via', place.ip])
}

async function createNodeNetwork(place: NodePlace): Promise<void> {
  const { namespace, veth, ip } = place
  await run(['ip', 'netns', 'add', namespace])
  await run(['ip', 'link', 'add', veth, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace])
  await run(['ip', 'link', 'set', veth, 'master', bridge, 'up'])
  const inside = (...args: string[]): Promise<string> => run(['ip', '-n', namespace, ...args])
  await inside('addr', 'add', `${ip}/24`, 'dev', 'eth0')
  await inside('link', 'set', 'eth0', 'up')
  await inside('link', 'set', 'lo', 'up')
  await inside('route', 'add', 'default', 'via', controlPlaneIp)
  for (const other of places.filter((candidate) => candidate !== place)) {
    await inside('route', 'add', other.podCidr, 'via', other.ip)
  }
  // /proc/sys/net shows the namespace of the process that reads it. Pods of one node reach each other by Service only
  // when their bridge's frames pass iptables.
  await run([
    ...inNode(place),
    'sh',
    '-c',
    'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables || true; echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6 || true',
  ])
}
