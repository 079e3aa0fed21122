import { setTimeout as pause } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { chapter, output, promise, remark } from './account.ts'
import { apply, type Cluster, kubectl, regctl, regctlJson, show } from './cluster.ts'
import { build, namespace, pull, shell } from './manifests.ts'
import type { Places } from './places.ts'
import { askAfterRevoke, refusals } from './refusals.ts'

/** The registry as the story's requests name it. */
export type Registry = {
  readonly namespace: string
  readonly port: number
  /** From a node and from a granted pod. */
  readonly local: string
  /** By its Service, for who has no `localhost`. */
  readonly service: string
}

/** The seed of the project as it happens: installed, granted, built, pulled, refused, revoked. */
export async function story(cluster: Cluster, places: Places): Promise<void> {
  const { builder, repository } = places
  chapter('1. Install', 'One registry, reachable only by mTLS, and a read-only proxy on the loopback of every node.')
  if (places.installed) remark('A registry is installed already; up without flags leaves it as it is.')
  await regctl(cluster, ['up', ...(places.installed ? [] : cluster.upFlags)])
  const registry = await registryOf(cluster)
  await preparePods(cluster, places, registry)

  chapter('2. Grant', `Every service account of ${builder} may push ${repository} and all below it, and nothing else.`)
  await regctl(cluster, ['grant', builder, repository])
  promise('The grant is in force', true)

  const image = `localhost:${registry.port}/${repository}/app`
  const hello = `Hello from ${image}, built ${new Date().toISOString()}`
  chapter('3. Build and push in the cluster', `A Kaniko Job pushes ${image}:1. It has no password and no certificate.`)
  await apply(cluster, shell(builder, 'shell', cluster.images.curl))
  const digest = await buildImage(cluster, builder, `${image}:1`, hello)

  chapter('4. Pull and run', 'The kubelets know nothing but the name; each pod is pulled by the node it runs on.')
  await runImage(cluster, places, [`${image}:1`, `${image}@${digest}`], hello)

  chapter('5. What is refused', 'The same requests from where they must not work.')
  await readyPods(cluster, places)
  await refusals(cluster, places, registry)

  chapter('6. Revoke', 'The push that just worked; by the Service, because localhost goes with the last grant.')
  await regctl(cluster, ['revoke', builder, repository])
  const push = ['-X', 'POST', `${registry.service}/v2/${repository}/app/blobs/uploads/`]
  await askAfterRevoke(cluster, 'The builder no longer pushes', [builder, 'shell'], push)

  chapter('7. How it stands', 'What the proxies have in force, not what somebody wrote down.')
  await regctl(cluster, ['status'])
  promise('All is well', true)
}

async function registryOf(cluster: Cluster): Promise<Registry> {
  const { namespace, port } = (await regctlJson(cluster, ['status'])) as { namespace: string; port: number }
  return {
    namespace,
    port,
    local: `http://localhost:${port}`,
    service: `http://kube-registry.${namespace}:${port}`,
  }
}

/** Pods to send requests from; they start while the build runs. The builder's comes after its grant. */
async function preparePods(
  cluster: Cluster,
  { builder, stranger, app, nodes }: Places,
  registry: Registry,
): Promise<void> {
  const { curl } = cluster.images
  const out = { 'sidecar.istio.io/inject': 'false' }
  await apply(
    cluster,
    namespace(builder),
    namespace(stranger, await injection(cluster, registry)),
    // A pod on the host network is beyond what baseline allows.
    namespace(app, { 'pod-security.kubernetes.io/enforce': 'privileged' }),
  )
  await apply(
    cluster,
    shell(stranger, 'shell', curl),
    shell(app, 'outside-the-mesh', curl, { labels: out }),
    shell(app, 'on-the-node', curl, { labels: out, spec: { hostNetwork: true, nodeName: nodes[0]?.name } }),
  )
}

/** The label that turns injection on, for the revision the registry has. */
async function injection(cluster: Cluster, { namespace }: Registry): Promise<Readonly<Record<string, string>>> {
  const settings = await kubectl(cluster, [
    'get',
    'configmap',
    'regctl',
    '-n',
    namespace,
    '-o',
    String.raw`jsonpath={.data.settings\.json}`,
  ])
  const { revision } = JSON.parse(settings) as { revision?: string }
  return revision === undefined ? { 'istio-injection': 'enabled' } : { 'istio.io/rev': revision }
}

async function readyPods(cluster: Cluster, { builder, stranger, app }: Places): Promise<void> {
  const wait = (home: string, ...pods: readonly string[]) =>
    kubectl(cluster, ['wait', '-n', home, '--for=condition=Ready', '--timeout=60s', ...pods.map((pod) => `pod/${pod}`)])
  await Promise.all([wait(builder, 'shell'), wait(stranger, 'shell'), wait(app, 'outside-the-mesh', 'on-the-node')])
}

async function buildImage(cluster: Cluster, home: string, destination: string, hello: string): Promise<string> {
  await apply(cluster, ...build(home, 'build', destination, hello, cluster.images))
  type Job = { readonly status?: { readonly succeeded?: number; readonly failed?: number } }
  const end = Date.now() + 180_000
  let status: Job['status']
  while (status?.succeeded === undefined && status?.failed === undefined) {
    if (Date.now() > end) throw new Error(`the build did not end: kubectl describe pods -n ${home} -l job-name=build`)
    await pause(500, undefined, { signal: cluster.signal })
    status = (JSON.parse(await kubectl(cluster, ['get', 'job', 'build', '-n', home, '-o', 'json'])) as Job).status
  }
  const { stdout, stderr } = await show(cluster, [
    'kubectl',
    'logs',
    '-n',
    home,
    'job/build',
    '-c',
    'kaniko',
    '--tail=4',
  ])
  output(stripVTControlCharacters(stdout || stderr))
  const pods = ['get', 'pods', '-n', home, '-l', 'job-name=build']
  const message = 'jsonpath={.items[0].status.containerStatuses[?(@.name=="kaniko")].state.terminated.message}'
  const digest = (await kubectl(cluster, [...pods, '-o', message])).trim()
  promise(`Kaniko pushed ${destination}`, /^sha256:[0-9a-f]{64}$/.test(digest), 'the Job failed, see its log above')
  if (!digest.startsWith('sha256:')) throw new Error('without the image there is nothing to pull')
  return digest
}

async function runImage(
  cluster: Cluster,
  { app, nodes }: Places,
  images: readonly string[],
  hello: string,
): Promise<void> {
  if (nodes.length < 2) remark('This cluster has one ready node; the lab has two.')
  const pods = nodes.flatMap((node, index) =>
    images.map((image) => ({ node: node.name, image, name: `${image.includes('@') ? 'digest' : 'tag'}-${index + 1}` })),
  )
  await apply(cluster, ...pods.map(({ name, node, image }) => pull(app, name, node, image)))
  const names = pods.map(({ name }) => `pod/${name}`)
  const phase = '--for=jsonpath={.status.phase}=Succeeded'
  const waited = await show(cluster, ['kubectl', 'wait', '-n', app, phase, '--timeout=60s', ...names])
  output(waited.stdout)
  if (waited.exitCode !== 0) output(await kubectl(cluster, ['get', 'events', '-n', app]))
  for (const { name, node, image } of pods) {
    const log = await kubectl(cluster, ['logs', '-n', app, name]).catch((error: Error) => error.message)
    promise(`${node} ran ${image.replace(/(sha256:.{12}).*/, '$1…')}`, log.trim() === hello, log)
  }
  output(hello)
}
