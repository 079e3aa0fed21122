import { applyText, kubectl, kubectlOk, type Run, regctl, regctlOk } from '../cluster.ts'
import { images, upFlags } from '../images.ts'
import { layout } from './layout.ts'

export const REGISTRY = 'kube-registry'
export const NODES = 'kube-registry-node'
export const BUILDER = 'example-builder'
export const SERVICE = `http://${REGISTRY}.${REGISTRY}.svc.cluster.local:5000`

/** Somebody's repository: nobody in these suites holds a grant for it. */
export const SECRET = 'attack-secret/app'

/** What every attack is aimed at: a healthy installation, with a grant of `example` for the builders' namespace. */
export async function ensureVictim(): Promise<void> {
  const { exitCode, stdout } = await regctl(['status', '--json'])
  if (exitCode !== 0 || JSON.parse(stdout).nodeProxy !== layout.nodeProxy)
    await regctlOk(['up', ...upFlags, '--node-proxy', layout.nodeProxy])
  if ((await kubectl(['get', 'namespace', BUILDER])).exitCode !== 0) await kubectlOk(['create', 'namespace', BUILDER])
  await regctlOk(['grant', BUILDER, 'example', '--inject'])
}

export type PodOptions = {
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: Readonly<Record<string, unknown>>
  readonly container?: Readonly<Record<string, unknown>>
}

/** A pod that waits for commands. */
export function pod(
  namespace: string,
  name: string,
  { labels = {}, spec = {}, container = {} }: PodOptions = {},
): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image: images.toolbox,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', 'trap exit TERM; while :; do sleep 1; done'],
          ...container,
        },
      ],
      ...spec,
    },
  }
}

export const namespace = (name: string, injected: boolean): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: injected ? { 'istio-injection': 'enabled' } : {} },
})

export const apply = (...objects: readonly object[]): Promise<string> =>
  applyText(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))

/** Starts with none of it left of a run before. */
export const remove = (kind: string, names: readonly string[], ...flags: readonly string[]): Promise<string> =>
  kubectlOk(['delete', kind, ...names, '--ignore-not-found', '--timeout=60s', ...flags])

export async function ready(namespace: string, ...names: readonly string[]): Promise<void> {
  await kubectlOk([
    'wait',
    '-n',
    namespace,
    '--for=condition=Ready',
    '--timeout=60s',
    ...names.map((name) => `pod/${name}`),
  ])
}

/** Runs a script in a pod's own container. */
export const inside = (namespace: string, name: string, script: string): Promise<Run> =>
  kubectl(['exec', '-n', namespace, name, '-c', 'main', '--', 'sh', '-c', script], { timeout: 60_000 })

/** The status codes of several requests, in order; 000 where no answer came. */
export async function statuses(
  namespace: string,
  name: string,
  ...requests: readonly string[]
): Promise<readonly string[]> {
  const script = requests
    .map((request) => `curl -s -m 10 -o /dev/null -w '%{http_code}\\n' ${request}; true`)
    .join('; ')
  const { stdout, stderr } = await inside(namespace, name, script)
  const codes = stdout.trim().split('\n')
  if (codes.length !== requests.length)
    throw new Error(`${codes.length} answers for ${requests.length} requests: ${stderr}`)
  return codes
}

/** The first pod with this label, on a node if one is given. */
export async function podOf(namespace: string, app: string, node?: string): Promise<string> {
  const field = node === undefined ? [] : ['--field-selector', `spec.nodeName=${node}`]
  const found = await kubectlOk([
    'get',
    'pods',
    '-n',
    namespace,
    '-l',
    `app=${app}`,
    ...field,
    '-o',
    'jsonpath={.items[0].metadata.name}',
  ])
  if (found === '') throw new Error(`no pod with app=${app} in ${namespace}`)
  return found
}

export const podIp = (namespace: string, name: string): Promise<string> =>
  kubectlOk(['get', 'pod', '-n', namespace, name, '-o', 'jsonpath={.status.podIP}'])
