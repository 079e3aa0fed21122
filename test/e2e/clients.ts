import { expect } from 'vitest'
import { apply, BUILDER, inside, namespace, pod, ready } from './attacks/kit.ts'
import { kubectlOk, lab, regctl, regctlOk } from './cluster.ts'

export const LOCAL = 'http://localhost:5000'

/** A pod that keeps running and asks by its own identity. */
export type Client = { readonly namespace: string; readonly name: string }

export type Ask = {
  readonly method?: string
  readonly url: string
  readonly host?: string
  readonly headers?: readonly string[]
}

/** `status` is 0 where no answer came; `failure` is then curl's exit code: 7 refused, 52 and 56 cut, 28 no answer. */
export type Answer = { readonly status: number; readonly failure: number; readonly body: string }

const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

/** Several requests in one go, each on a connection of its own. */
export async function ask(client: Client, asks: readonly Ask[]): Promise<readonly Answer[]> {
  const script = asks.map(({ method = 'GET', url, host, headers = [] }) => {
    const verb = method === 'HEAD' ? '--head -o /dev/null' : `-X ${method}`
    const lines = [...(host === undefined ? [] : [`Host: ${host}`]), ...headers].map((line) => `-H ${quote(line)}`)
    return `curl -s -g -m 10 --path-as-is ${verb} ${lines.join(' ')} -w '\\n%{http_code} %{exitcode}\u001E' ${quote(url)}`
  })
  const { stdout, stderr } = await inside(client.namespace, client.name, `${script.join('; ')}; true`)
  const answers = stdout.split('\u001E').slice(0, -1).map(answerOf)
  if (answers.length !== asks.length)
    throw new Error(`${answers.length} answers for ${asks.length}: ${stdout}${stderr}`)
  return answers
}

function answerOf(text: string): Answer {
  const end = text.lastIndexOf('\n')
  const [status, failure] = text
    .slice(end + 1)
    .split(' ')
    .map(Number)
  return { status: status ?? 0, failure: failure ?? 0, body: text.slice(0, end) }
}

export const askOne = async (client: Client, one: Ask): Promise<Answer> => (await ask(client, [one]))[0] as Answer

/** The status of each request, by a name that says in a failure which it was. */
export async function codes(client: Client, asks: Readonly<Record<string, Ask>>): Promise<Record<string, number>> {
  const answers = await ask(client, Object.values(asks))
  return Object.fromEntries(Object.keys(asks).map((name, index) => [name, answers[index]?.status ?? -1]))
}

export const uploadTo = (repository: string, base = LOCAL): Ask => ({
  method: 'POST',
  url: `${base}/v2/${repository}/blobs/uploads/`,
})

export const manifest = (repository: string, tag: string, base = LOCAL): Ask => ({
  url: `${base}/v2/${repository}/manifests/${tag}`,
  headers: ['Accept: application/vnd.oci.image.manifest.v1+json'],
})

/** Shell function `put FILE`: uploads a blob and prints its digest. */
const PUT = `
put() {
  d=sha256:$(sha256sum "$1" | cut -d ' ' -f 1)
  l=$(curl -sf -m 20 -X POST -D - -o /dev/null "$base/v2/$repo/blobs/uploads/" | tr -d '\\r' | sed -n 's/^[Ll]ocation: //p')
  case $l in /*) l=$base$l ;; esac
  curl -sf -m 200 $2 -o /dev/null -X PUT -H 'Content-Type: application/octet-stream' -T "$1" "$l&digest=$d" && echo "$d"
}`

export const blobScript = (repository: string, base: string, body: string): string =>
  `base=${base}; repo=${repository};${PUT}\n${body}`

/** Pushes an image of one small layer, as OCI clients do; gives the digest of its manifest. */
export async function push(client: Client, repository: string, tag: string, base = LOCAL): Promise<string> {
  const type = 'application/vnd.oci.image'
  const script = blobScript(
    repository,
    base,
    `cd $(mktemp -d) && echo '{"architecture":"amd64","os":"linux"}' >config && head -c 3000 /dev/urandom >layer
c=$(put config) && l=$(put layer) || exit 9
printf '{"schemaVersion":2,"mediaType":"${type}.manifest.v1+json","config":{"mediaType":"${type}.config.v1+json","size":%d,"digest":"%s"},"layers":[{"mediaType":"${type}.layer.v1.tar","size":3000,"digest":"%s"}]}' $(wc -c <config) $c $l >m
curl -sf -m 20 -o /dev/null -X PUT -H 'Content-Type: ${type}.manifest.v1+json' --data-binary @m $base/v2/$repo/manifests/${tag} && echo sha256:$(sha256sum m | cut -d ' ' -f 1)`,
  )
  const { stdout, stderr, exitCode } = await inside(client.namespace, client.name, script)
  expect(exitCode, `push of ${repository}:${tag}: ${stderr}`).toBe(0)
  return stdout.trim()
}

/** Pods that wait for requests, ready. */
export async function clients(...pods: readonly object[]): Promise<void> {
  await apply(...pods)
  const byNamespace = Map.groupBy(pods as { metadata: Client }[], ({ metadata }) => metadata.namespace)
  await Promise.all(
    [...byNamespace].map(([name, members]) => ready(name, ...members.map(({ metadata }) => metadata.name))),
  )
}

/** The builder of the story: its namespace with the grant of `example`, and a pod there. */
export const builder: Client = { namespace: BUILDER, name: 'client' }

export async function ensureBuilder(): Promise<void> {
  await ensureNamespaces(BUILDER)
  await regctlOk(['grant', BUILDER, 'example', '--inject'])
  await clients(pod(BUILDER, builder.name))
}

export async function ensureNamespaces(...names: readonly string[]): Promise<void> {
  await apply(...names.map((name) => namespace(name, false)))
}

/** Nothing there of an earlier run. On a cluster of the user's, an installation stays unless REGCTL_E2E_REPLACE says so. */
export async function fromNothing(): Promise<void> {
  if (lab === undefined && process.env.REGCTL_E2E_REPLACE === undefined) {
    const installed = (await regctl(['grants'])).exitCode !== 3
    if (installed) throw new Error('a registry is installed there; REGCTL_E2E_REPLACE=1 deletes it and its images')
  }
  const all = await kubectlOk(['get', 'namespaces', '-o', 'name'])
  const ours = all.split('\n').filter((name) => /^namespace\/(e2e-|example-builder$)/.test(name))
  await Promise.all([
    regctlOk(['down', '--delete-data']),
    ...(ours.length === 0 ? [] : [kubectlOk(['delete', '--timeout=120s', ...ours])]),
  ])
}

/** Up to two nodes that take pods. */
export async function someNodes(): Promise<readonly { readonly name: string; readonly ip: string }[]> {
  const { items } = JSON.parse(await kubectlOk(['get', 'nodes', '-o', 'json'])) as {
    items: {
      metadata: { name: string }
      spec: { unschedulable?: boolean; taints?: { effect: string }[] }
      status: { addresses: { type: string; address: string }[] }
    }[]
  }
  return items
    .filter(
      ({ spec }) =>
        spec.unschedulable !== true && !(spec.taints ?? []).some(({ effect }) => effect !== 'PreferNoSchedule'),
    )
    .slice(0, 2)
    .map(({ metadata, status }) => ({
      name: metadata.name,
      ip: status.addresses.find(({ type }) => type === 'InternalIP')?.address ?? '',
    }))
}

/** A process on a node's own network, as the kubelet is one. */
export const onHost = (namespaceName: string, name: string, node: string): object =>
  pod(namespaceName, name, {
    labels: { 'sidecar.istio.io/inject': 'false' },
    spec: { hostNetwork: true, nodeName: node },
  })

export async function has(client: Client, program: string): Promise<boolean> {
  return (await inside(client.namespace, client.name, `command -v ${program}`)).exitCode === 0
}

export async function getJson<T>(...args: readonly string[]): Promise<T> {
  return JSON.parse(await kubectlOk(['get', ...args, '-o', 'json'])) as T
}
