import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { kubectlOk, lab, onNode, run } from '../cluster.ts'
import { NODES, podOf } from './kit.ts'

const BIND = `
const [address, port, uid, keep] = process.argv.slice(1)
process.setgroups([]); process.setgid(Number(uid)); process.setuid(Number(uid))
const open = () => require('net').createServer((socket) => socket.end('HTTP/1.1 200 OK\\r\\n\\r\\npoisoned'))
  .on('error', (error) => keep ? setTimeout(open, 20) : console.log(error.code))
  .listen({ host: address, port: Number(port), reusePort: !keep, ipv6Only: true }, function () { console.log('bound'); if (!keep) this.close() })
open()`

/** Tries to listen with SO_REUSEPORT as a process of the node; gives `bound` or the error's code. */
export async function bind(node: string, address: string, port: number, uid: number): Promise<string | undefined> {
  return (await onNode(node, [process.execPath, '-e', BIND, address, String(port), String(uid)]))?.stdout.trim()
}

/** Takes a port of a node as soon as it is free, and holds it until disposed of. */
export function squatter(
  node: string,
  address: string,
  port: number,
): AsyncDisposable & { readonly bound: Promise<unknown> } {
  const prefix = lab?.nodes.find(({ name }) => name === node)?.exec ?? []
  const [file = '', ...args] = [...prefix, process.execPath, '-e', BIND, address, String(port), '0', 'keep']
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  return {
    bound: once(createInterface(child.stdout), 'line'),
    [Symbol.asyncDispose]: async () => {
      child.kill()
      await closed
    },
  }
}

/** A host on the nodes' network that sends what is for 127.0.0.1 to a node, which kube-proxy's firewall would drop but is told not to. */
export async function adjacentHost(
  node: string,
): Promise<AsyncDisposable & { get(url: string, header?: string): Promise<string> }> {
  const ip = lab?.nodes.find(({ name }) => name === node)?.ip ?? ''
  const own = ip.replace(/\d+$/, '99')
  const netns = 'regctl-attack'
  const past = ['-s', own, '-d', '127.0.0.1', '-j', 'ACCEPT']
  const undo = async (): Promise<void> => {
    await run(['ip', 'netns', 'delete', netns])
    await run(['ip', 'link', 'delete', 'attack0'])
    while ((await onNode(node, ['iptables', '-D', 'INPUT', ...past]))?.exitCode === 0);
  }
  const must = async (argv: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await run(argv)
    if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`)
  }
  await undo()
  const { stdout } = await run(['ip', '-o', 'route', 'get', ip])
  const bridge = / dev (\S+)/.exec(stdout)?.[1] ?? ''
  const inside = ['ip', 'netns', 'exec', netns]
  try {
    await must(['ip', 'netns', 'add', netns])
    await must(['ip', 'link', 'add', 'attack0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns])
    await must(['ip', 'link', 'set', 'attack0', 'master', bridge, 'up'])
    await must([...inside, 'ip', 'addr', 'add', `${own}/24`, 'dev', 'eth0'])
    await must([...inside, 'ip', 'link', 'set', 'eth0', 'up'])
    // Loopback stays down, so that 127.0.0.1 is an address like any other.
    for (const of of ['all', 'eth0'])
      await must([
        ...inside,
        'sysctl',
        '-qw',
        `net.ipv4.conf.${of}.route_localnet=1`,
        `net.ipv4.conf.${of}.rp_filter=0`,
      ])
    await must([...inside, 'ip', 'route', 'add', '127.0.0.1/32', 'via', ip, 'src', own])
    await onNode(node, ['iptables', '-I', 'INPUT', ...past])
  } catch (error) {
    await undo()
    throw error
  }
  return {
    get: async (url, header = 'X-A: b') => {
      const ask = ['curl', '-s', '-m', '3', '-o', '/dev/null', '-w', '%{http_code}', '-H', header, url]
      return (await run([...inside, ...ask])).stdout
    },
    [Symbol.asyncDispose]: undo,
  }
}

/** Deletes a node's proxy pod and gives the next one's name. */
export async function replaceProxy(node: string): Promise<string> {
  const old = await podOf(NODES, 'registry-node', node)
  await kubectlOk(['delete', 'pod', '-n', NODES, old, '--grace-period=1'])
  for (;;) {
    const next = await podOf(NODES, 'registry-node', node).catch(() => old)
    if (next !== old) return next
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
