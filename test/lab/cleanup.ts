import { existsSync, readFileSync } from 'node:fs'
import { readdir, readFile, readlink, rm, rmdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { processesInTree, removeGroups } from './cgroups.ts'
import { run, succeeds, until } from './command.ts'
import { bridge, controlPlaneIp, forwardRules, places } from './network.ts'
import { inState, state } from './paths.ts'
import { restoreSysctls } from './sysctls.ts'

const deviceSocket = '/var/lib/kubelet/device-plugins/kubelet.sock'

/** Removes a lab in any condition, by what marks it as the lab's and not by what a record says was started. */
export async function removeLab(): Promise<void> {
  await killAll()
  await removeShimSockets()
  await unmountAll()
  await removeNetwork()
  await removeStrayFiles()
  await restoreSysctls()
  await until("the lab's cgroups are empty", async () => removeGroups(), 10)
  // Helpers of a killed `up` may still write for a moment.
  await rm(state, { recursive: true, force: true, maxRetries: 10 })
}

export const hasRemains = (): boolean =>
  existsSync(state) || existsSync(`/sys/class/net/${bridge}`) || processesInTree().length > 0

/** In rounds, because a shim may start something between the listing and its end. */
async function killAll(): Promise<void> {
  await until(
    "the lab's processes end",
    async () => {
      const ids = processesInTree()
      for (const id of ids) {
        try {
          process.kill(id, 'SIGKILL')
        } catch {
          // Already gone.
        }
      }
      return ids.length === 0
    },
    12,
  )
}

/** Shims keep their sockets in /run/containerd/s whatever containerd's state directory is; each bundle names its own. */
async function removeShimSockets(): Promise<void> {
  for (const place of places) {
    const bundles = inState(place.name, 'containerd-run', 'io.containerd.runtime.v2.task', 'k8s.io')
    for (const bundle of await readdir(bundles).catch(() => [])) {
      const address = await readFile(join(bundles, bundle, 'address'), 'utf8').catch(() => '')
      const socket = address.trim().replace(/^unix:\/\//, '')
      if (socket.startsWith('/run/containerd/s/')) await rm(socket, { force: true })
    }
  }
  await removeEmpty('/run/containerd/s', '/run/containerd')
}

async function unmountAll(): Promise<void> {
  const mountPoints = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '))
    .filter((path) => path.startsWith(`${state}/`))
  // Last mounted first: some are stacked.
  for (const path of mountPoints.reverse()) await succeeds(['umount', '--lazy', path])
}

async function removeNetwork(): Promise<void> {
  for (const { namespace, veth } of places) {
    if (existsSync(`/sys/class/net/${veth}`)) await run(['ip', 'link', 'del', veth])
    if (existsSync(`/var/run/netns/${namespace}`)) await run(['ip', 'netns', 'del', namespace])
  }
  if (existsSync(`/sys/class/net/${bridge}`)) await run(['ip', 'link', 'del', bridge])
  // Once per leftover of a killed `up`.
  for (const rule of forwardRules) {
    let more = true
    while (more) more = await succeeds(['iptables', '-w', '-D', ...rule])
  }
  // The first rule made these chains. They go only when they hold no rule and no policy.
  for (const chain of ['INPUT', 'FORWARD', 'OUTPUT']) await succeeds(['iptables', '-w', '-X', chain])
  // `ip netns add` mounted this on itself.
  const namespaces = await readdir('/run/netns').catch(() => undefined)
  if (namespaces?.length === 0) {
    await succeeds(['umount', '/run/netns'])
    await removeEmpty('/run/netns')
  }
}

/** Paths that the kubelet, the CNI library and the caller's kubectl write to whatever the lab's configuration says. */
async function removeStrayFiles(): Promise<void> {
  for (const link of await readdir('/var/log/containers').catch(() => [])) {
    const path = join('/var/log/containers', link)
    if ((await readlink(path).catch(() => '')).startsWith(`${state}/`)) await rm(path)
  }
  for (const file of await readdir('/var/lib/cni/results').catch(() => [])) {
    const path = join('/var/lib/cni/results', file)
    if ((await readFile(path, 'utf8').catch(() => '')).includes(`"${state}/`)) await rm(path)
  }
  // Not below the kubelet's root directory; one that answers is another kubelet's.
  if (!(await answers(deviceSocket))) await rm(deviceSocket, { force: true })
  await removeEmpty('/var/lib/kubelet/device-plugins', '/var/lib/kubelet')
  await rm(join(homedir(), '.kube', 'cache', 'discovery', `${controlPlaneIp}_6443`), { recursive: true, force: true })
  await removeEmpty('/var/log/containers', '/var/lib/cni/results', '/var/lib/cni')
}

const answers = (socket: string): Promise<boolean> =>
  new Promise((resolve) => {
    const connection = connect(socket, () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', () => resolve(false))
  })

async function removeEmpty(...directories: readonly string[]): Promise<void> {
  for (const directory of directories) await rmdir(directory).catch(() => undefined)
}
