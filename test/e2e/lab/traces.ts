import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { state } from '../../lab/paths.ts'
import { run } from '../cluster.ts'

/** What a lab could leave on the machine, by kind; other people's things are in it too, so compare it with an earlier one. */
export type Traces = Readonly<Record<string, readonly string[]>>

const names = (directory: string): string[] =>
  existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : []

const lines = async (...argv: readonly string[]): Promise<string[]> =>
  (await run(argv, { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })).stdout
    .split('\n')
    // iptables-save writes the time and the counters.
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/\[\d+:\d+\]/, ''))

/** Where containerd, kubelet, CNI, dockerd and kubectl write whatever they are told. */
const DIRECTORIES = [
  ...['/var/lib', '/var/lib/cni', '/var/lib/cni/results', '/var/log', '/var/log/containers', '/var/log/pods'],
  ...['/run', '/run/netns', '/run/containerd', '/run/containerd/s', '/etc/cni', '/etc/kubernetes', '/opt', '/'],
  ...['/var/lib/kubelet', '/var/lib/kubelet/device-plugins'],
  ...['/root/.kube', '/root/.kube/cache', '/root/.kube/cache/discovery'],
]

/** What a kubelet or a proxy sets for the whole machine. */
const SYSCTLS = [
  ...['kernel/panic', 'kernel/panic_on_oops', 'kernel/keys/root_maxkeys', 'kernel/keys/root_maxbytes'],
  ...['vm/overcommit_memory', 'vm/panic_on_oom', 'net/ipv4/ip_forward', 'net/netfilter/nf_conntrack_max'],
  ...['net/ipv4/conf/all/route_localnet', 'net/bridge/bridge-nf-call-iptables', 'fs/inotify/max_user_watches'],
]

export async function traces(): Promise<Traces> {
  return {
    processes: processes(),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? ''),
    links: (await lines('ip', '-o', 'link')).map((line) => line.split(':')[1]?.trim() ?? ''),
    routes: await lines('ip', 'route'),
    iptables: await lines('iptables-save'),
    ip6tables: await lines('ip6tables-save'),
    nftables: await lines('nft', 'list', 'tables').catch(() => []),
    cgroups: names('/sys/fs/cgroup').flatMap((hierarchy) => [hierarchy, ...groupsIn(hierarchy)]),
    files: DIRECTORIES.flatMap(names),
    sysctls: SYSCTLS.map((name) => join('/proc/sys', name))
      .filter((path) => existsSync(path))
      .map((path) => `${path} = ${readFileSync(path, 'utf8').trim()}`),
  }
}

const groupsIn = (hierarchy: string): string[] => {
  try {
    return readdirSync(hierarchy, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(hierarchy, entry.name))
  } catch {
    return []
  }
}

/** Programs that a lab runs, and whatever else stands on its files; of the rest some come and go all the time. */
function processes(): string[] {
  const program = /^(etcd|containerd|containerd-shim.*|runc|envoy|pilot-.*|coredns|istioctl|kubernetes|ctr)$/
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((id) => {
      try {
        const words = readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ')
        const ours = program.test(basename(readlinkSync(`/proc/${id}/exe`))) || words.includes(state)
        return ours ? [`${id} ${words}`] : []
      } catch {
        // Gone meanwhile, or of the kernel.
        return []
      }
    })
}

/** What is there now and was not before, and the other way round. */
export function changes(before: Traces, after: Traces): readonly string[] {
  return Object.keys(after).flatMap((kind) => {
    const [old = [], now = []] = [before[kind], after[kind]]
    return [
      ...now.filter((one) => !old.includes(one)).map((one) => `${kind}: left ${one}`),
      ...old.filter((one) => !now.includes(one)).map((one) => `${kind}: lost ${one}`),
    ]
  })
}
