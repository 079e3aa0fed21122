import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { nodeGroup } from './cgroups.ts'
import { run, until } from './command.ts'
import { imageReferences } from './images/images.ts'
import { inNode, type NodePlace } from './network.ts'
import { inState } from './paths.ts'
import { pkiFile } from './pki.ts'
import { requireRunning, start } from './processes.ts'

const directoryOf = (place: NodePlace): string => inState(place.name)
const socketOf = (place: NodePlace): string => join(directoryOf(place), 'containerd.sock')

export const runtimeOf = (place: NodePlace): string => `${place.name}-containerd`
export const daemonsOf = (place: NodePlace): string[] => [`${place.name}-kubelet`, `${place.name}-proxy`]

/** containerd alone first: images can be loaded while the control plane starts. */
export async function startRuntime(place: NodePlace): Promise<void> {
  const directory = directoryOf(place)
  await mkdir(join(directory, 'cni'), { recursive: true })
  await writeFile(join(directory, 'cni', '10-regctl-lab.conflist'), JSON.stringify(cniConfig(place)))
  await writeFile(join(directory, 'containerd.toml'), containerdConfig(place))
  await start(runtimeOf(place), [...inNode(place), 'containerd', '-c', join(directory, 'containerd.toml')])
  await until(
    `containerd of ${place.name} answers`,
    async () => {
      requireRunning(runtimeOf(place))
      return (await ctr(place, 'version')) !== ''
    },
    20,
  )
}

const ctr = (place: NodePlace, ...args: readonly string[]): Promise<string> =>
  run(['ctr', '--address', socketOf(place), '--namespace', 'k8s.io', ...args])

export async function loadImages(place: NodePlace, archives: readonly string[]): Promise<void> {
  for (const archive of archives) await ctr(place, 'images', 'import', archive)
}

export async function startNode(place: NodePlace, hyperkube: string): Promise<void> {
  const directory = directoryOf(place)
  await mkdir(join(directory, 'kubelet'), { recursive: true })
  // CoreDNS forwards nothing, and host-network pods need a file that is valid in their namespace.
  await writeFile(inState('resolv.conf'), 'nameserver 10.96.0.10\n')
  await writeFile(join(directory, 'kubelet.yaml'), stringify(kubeletConfig(place)))
  await writeFile(join(directory, 'proxy.yaml'), stringify(proxyConfig(place)))
  await start(`${place.name}-kubelet`, [
    ...inNode(place),
    hyperkube,
    'kubelet',
    `--config=${join(directory, 'kubelet.yaml')}`,
    `--kubeconfig=${inState(`${place.name}.conf`)}`,
    `--root-dir=${join(directory, 'kubelet')}`,
    `--cert-dir=${join(directory, 'kubelet', 'pki')}`,
    `--hostname-override=${place.name}`,
    `--node-ip=${place.ip}`,
  ])
  await start(`${place.name}-proxy`, [
    ...inNode(place),
    hyperkube,
    'kube-proxy',
    `--config=${join(directory, 'proxy.yaml')}`,
  ])
}

function cniConfig(place: NodePlace): unknown {
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet: place.podCidr }]],
    routes: [{ dst: '0.0.0.0/0' }],
    dataDir: join(directoryOf(place), 'ipam'),
  }
  return {
    cniVersion: '1.0.0',
    name: 'regctl-lab',
    plugins: [
      { type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: false, hairpinMode: true, ipam },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  }
}

const containerdConfig = (place: NodePlace): string => {
  const directory = directoryOf(place)
  return `version = 2
root = "${directory}/containerd"
state = "${directory}/containerd-run"
[grpc]
address = "${socketOf(place)}"
# Else it makes /opt/containerd.
[plugins."io.containerd.internal.v1.opt"]
path = "${directory}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${imageReferences.pause}"
# Without CAP_SYS_RESOURCE runc cannot lower scores, and dies with "can't get final child's PID".
restrict_oom_score_adj = true
# Else pod namespaces are mounted in /var/run/netns, between other people's.
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${directory}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "${directory}/runc"
`
}

const kubeletConfig = (place: NodePlace): unknown => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: pkiFile('ca.crt') },
  },
  authorization: { mode: 'Webhook' },
  tlsCertFile: pkiFile(`${place.name}.crt`),
  tlsPrivateKeyFile: pkiFile(`${place.name}.key`),
  cgroupDriver: 'cgroupfs',
  cgroupRoot: nodeGroup(place.name),
  cgroupsPerQOS: true,
  enforceNodeAllocatable: [],
  failCgroupV1: false,
  failSwapOn: false,
  clusterDNS: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
  containerRuntimeEndpoint: `unix://${socketOf(place)}`,
  address: place.ip,
  healthzBindAddress: '127.0.0.1',
  resolvConf: inState('resolv.conf'),
  evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
  imageGCHighThresholdPercent: 100,
  // The images were loaded, not pulled: the kubelet has no record of who may use them.
  imagePullCredentialsVerificationPolicy: 'NeverVerify',
  serializeImagePulls: false,
  podLogsDir: join(directoryOf(place), 'pods'),
  volumePluginDir: join(directoryOf(place), 'volume-plugins'),
  localStorageCapacityIsolation: false,
  registerNode: true,
  syncFrequency: '10s',
  nodeStatusUpdateFrequency: '5s',
})

const proxyConfig = (place: NodePlace): unknown => ({
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  clientConnection: { kubeconfig: inState('proxy.conf') },
  clusterCIDR: '10.244.0.0/16',
  mode: 'iptables',
  hostnameOverride: place.name,
  // The limit is the machine's, not the namespace's.
  conntrack: { maxPerCore: 0 },
  metricsBindAddress: '127.0.0.1:10249',
})
