import { readFile } from 'node:fs/promises'
import { run, succeeds } from './command.ts'

/** Package by one file that proves it; the release pins the versions. */
const packages: Readonly<Record<string, string>> = {
  containerd: '/usr/bin/containerd',
  runc: '/usr/sbin/runc',
  'containernetworking-plugins': '/usr/lib/cni/portmap',
  'etcd-server': '/usr/bin/etcd',
  'busybox-static': '/bin/busybox',
  iptables: '/usr/sbin/xtables-legacy-multi',
  ipset: '/usr/sbin/ipset',
  iproute2: '/usr/sbin/ip',
  openssl: '/usr/bin/openssl',
  curl: '/usr/bin/curl',
  'ca-certificates': '/etc/ssl/certs/ca-certificates.crt',
}

const commands: Readonly<Record<string, string>> = {
  go: 'Go 1.26 or newer from https://go.dev/dl/',
  python3: 'apt-get install python3 python3-pip',
}

/** Debian parts of images change with their package versions. */
export const debianVersions = (): Promise<string> => run(['dpkg-query', '-W', ...Object.keys(packages), 'libc6'])

async function missingPackages(wanted: Readonly<Record<string, string>>): Promise<string[]> {
  const missing: string[] = []
  for (const [name, file] of Object.entries(wanted)) {
    if (!(await succeeds(['test', '-e', file]))) missing.push(name)
  }
  return missing
}

/** Says what is missing and how to get it; installs by itself what Debian has. */
export async function requireMachine(): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('the lab needs Linux on x86-64; point REGCTL_E2E_CONTEXT at any cluster with Istio instead')
  }
  if (process.getuid?.() !== 0) {
    throw new Error(
      'the lab needs root for namespaces and mounts: run it with sudo, or point REGCTL_E2E_CONTEXT at any cluster with Istio',
    )
  }
  for (const [command, remedy] of Object.entries(commands)) {
    if (!(await succeeds(['sh', '-c', `command -v ${command}`]))) throw new Error(`"${command}" is missing: ${remedy}`)
  }
  await installPackages(packages)
}

let turn: Promise<void> = Promise.resolve()

/** Installs what is missing of these, each named by one file that proves it; one at a time, because apt takes no second. */
export function installPackages(wanted: Readonly<Record<string, string>>): Promise<void> {
  const installed = turn.then(() => installMissing(wanted))
  turn = installed.catch(() => undefined)
  return installed
}

async function installMissing(wanted: Readonly<Record<string, string>>): Promise<void> {
  const missing = await missingPackages(wanted)
  if (missing.length === 0) return
  const release = (await readFile('/etc/debian_version', 'utf8').catch(() => '')).trim()
  if (!release.startsWith('12')) {
    throw new Error(`missing on this machine: ${missing.join(', ')}; the lab installs them itself on Debian 12 only`)
  }
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await run(['apt-get', 'update', '-qq'], { env })
  await run(['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...missing], { env })
}
