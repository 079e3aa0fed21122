import { setTimeout as pause } from 'node:timers/promises'
import { output, promise, remark } from './account.ts'
import { type Cluster, kubectl, show } from './cluster.ts'
import type { Places } from './places.ts'
import type { Registry } from './story.ts'

/** What must come back: an answer with a status, and with OCI's error code if it is refused; or no answer at all. */
type Answer = { readonly status: number; readonly code?: string } | { readonly unreachable: string }

const DENIED: Answer = { status: 403, code: 'DENIED' }

/** Exit codes of curl: could not connect, timed out, empty reply, reset. */
const NO_ANSWER = new Set([7, 28, 52, 56])

type From = readonly [namespace: string, pod: string] | 'here'

/** curl in a pod, or on this machine; the status line and the body are shown. */
async function request(cluster: Cluster, from: From, args: readonly string[]) {
  const curl = ['curl', '-sSi', '-m', '10', ...args]
  const argv = from === 'here' ? curl : ['kubectl', 'exec', '-n', from[0], from[1], '--', ...curl]
  const { stdout, stderr, exitCode } = await show(cluster, argv)
  const [head = '', ...rest] = stdout.split('\r\n\r\n')
  const statusLine = head.split('\r\n')[0] ?? ''
  const body = rest.join('').trim()
  const error = stderr.split('\n').find((line) => line.startsWith('curl:')) ?? stderr
  output([statusLine, body, error].join('\n'))
  return { statusLine, body, error, curlExit: curlExit(error, exitCode) }
}

/** One request and what must come back. */
export async function ask(
  cluster: Cluster,
  what: string,
  from: From,
  args: readonly string[],
  want: Answer,
): Promise<void> {
  judge(what, await request(cluster, from, args), want)
}

/** The same for a refusal that new connections get at once, and one that was open may carry a last request. */
export async function askAfterRevoke(
  cluster: Cluster,
  what: string,
  from: From,
  args: readonly string[],
): Promise<void> {
  const end = Date.now() + 10_000
  let answer = await request(cluster, from, args)
  while (answer.statusLine.includes(' 202') && Date.now() < end) {
    remark('That went over a connection from before the revoke; such ones end within 10 seconds. Once more:')
    await pause(1000, undefined, { signal: cluster.signal })
    answer = await request(cluster, from, args)
  }
  judge(what, answer, DENIED)
}

function judge(what: string, answer: Awaited<ReturnType<typeof request>>, want: Answer): void {
  const { statusLine, body, error } = answer
  const got = statusLine === '' ? error : `${statusLine} ${body}`
  if ('unreachable' in want) {
    promise(`${what}: ${want.unreachable}`, statusLine === '' && NO_ANSWER.has(answer.curlExit), got)
    return
  }
  const { status, code } = want
  const held = statusLine.includes(` ${status}`) && (code === undefined || codeOf(body) === code)
  promise(`${what}: ${[status, code].filter((part) => part !== undefined).join(' ')}`, held, got)
}

/** kubectl exec says 1 whatever the command said; curl tells its own code. */
const curlExit = (error: string, exitCode: number): number => Number(/curl: \((\d+)\)/.exec(error)?.[1] ?? exitCode)

function codeOf(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { errors?: { code?: string }[] }).errors?.[0]?.code
  } catch {
    return undefined
  }
}

const push = (base: string, repository: string): readonly string[] => [
  '-X',
  'POST',
  `${base}/v2/${repository}/blobs/uploads/`,
]

/** Everything that must not work, each by its own request. */
export async function refusals(cluster: Cluster, places: Places, registry: Registry): Promise<void> {
  const { builder, stranger, app, repository, nodes } = places
  const { local, service, port } = registry
  const node = [app, 'on-the-node'] as const
  const manifest = ['-I', `${local}/v2/${repository}/app/manifests/1`]
  await ask(cluster, 'For comparison, a node pulls', node, manifest, { status: 200 })
  await ask(cluster, 'A node does not push', node, push(local, `${repository}/app`), DENIED)
  await ask(cluster, 'A node does not list the catalog', node, [`${local}/v2/_catalog`], DENIED)
  await ask(cluster, 'Another Host is not served', node, ['-H', 'Host: evil.example', `${local}/v2/`], DENIED)
  const here = [builder, 'shell'] as const
  await ask(cluster, 'For comparison, a builder pushes', here, push(local, `${repository}/app`), { status: 202 })
  await ask(cluster, 'A builder keeps to its repository', here, push(local, 'other/app'), DENIED)
  const escaped = push(local, `${repository}%2F..%2Fother/app`)
  await ask(cluster, 'An escaped slash gets nowhere', here, escaped, { status: 400, code: 'UNSUPPORTED' })
  await ask(cluster, 'Another namespace has nothing', [stranger, 'shell'], push(service, `${repository}/app`), DENIED)
  const pods = ['get', 'pods', '-n', registry.namespace, '-l', 'app=kube-registry']
  const podIp = await kubectl(cluster, [...pods, '-o', 'jsonpath={.items[0].status.podIP}'])
  const outside = [app, 'outside-the-mesh'] as const
  await ask(cluster, 'Plaintext to the registry', outside, [`http://${podIp}:${port}/v2/`], { unreachable: 'reset' })
  const onNode = [`http://${nodes[0]?.ip}:${port}/v2/`, '-H', `Host: localhost:${port}`]
  await ask(cluster, "A pod at a node's address", outside, onNode, { unreachable: 'no connection' })
  if (cluster.reachesNodes) {
    await ask(cluster, "A remote client at a node's address", 'here', onNode, { unreachable: 'no connection' })
  } else {
    remark("Left out: a client outside of the cluster at a node's address, which takes the lab or a route to the nodes")
  }
}
