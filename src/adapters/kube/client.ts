import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'
import type { KubeConfig } from '@kubernetes/client-node'
import { preconditionError } from '../../errors.ts'
import type { BuildPods, Clock, Kube, Pods } from '../../ports.ts'
import { Api, serverOf } from './api.ts'
import { ClusterBuildPods } from './build-pods.ts'
import { ImpersonatingKubeConfig } from './impersonation.ts'
import { ClusterObjects } from './objects.ts'
import { ClusterPods } from './pods.ts'

export type ClusterOptions = {
  readonly context?: string
  readonly kubeconfig?: string
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Reads the kubeconfig; the API server is not asked anything yet. */
export function openCluster(options: ClusterOptions): { readonly kube: Kube; readonly pods: Pods } {
  const api = openApi(options)
  return { kube: new ClusterObjects(api), pods: new ClusterPods(api) }
}

export const openBuildPods = (options: ClusterOptions): BuildPods => new ClusterBuildPods(openApi(options))

export function openApi(options: ClusterOptions): Api {
  const config = loadKubeConfig(options)
  return new Api(config, options.clock, options.signal, () => loadAgain(config, options))
}

/** As it is now: whatever became the current context meanwhile, it stays with the one it had, and with the same cluster. */
export function loadAgain(before: KubeConfig, options: ClusterOptions): KubeConfig {
  const context = before.getCurrentContext()
  const config = loadKubeConfig({ ...options, context })
  const [was, is] = [serverOf(before), serverOf(config)]
  if (was === is) return config
  throw preconditionError('CONTEXT_MOVED', `context "${context}" leads to ${is} now, no longer to ${was}`, {
    suggestions: ['run the command again'],
  })
}

export function loadKubeConfig(options: Pick<ClusterOptions, 'context' | 'kubeconfig'>): KubeConfig {
  const config = new ImpersonatingKubeConfig()
  try {
    const several = (process.env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '')
    if (options.kubeconfig !== undefined) config.loadFromFile(options.kubeconfig)
    else if (several.length > 1) loadAsKubectl(config, several)
    else config.loadFromDefault()
  } catch (cause) {
    const file = options.kubeconfig ?? process.env.KUBECONFIG ?? '~/.kube/config'
    throw preconditionError('KUBECONFIG_UNREADABLE', `cannot read the kubeconfig "${file}": ${whyUnreadable(cause)}`, {
      suggestions: ['kubectl config view', 'add --kubeconfig FILE'],
      cause,
    })
  }
  if (options.context !== undefined) config.setCurrentContext(options.context)
  const context = config.getCurrentContext()
  // Without any file client-node invents a cluster on localhost:8080; nobody means that one.
  if (!context || config.getCurrentCluster()?.server === 'http://localhost:8080') {
    throw preconditionError('NO_CONTEXT', 'no kubeconfig context is selected', {
      suggestions: ['kubectl config get-contexts', 'kubectl config use-context NAME'],
    })
  }
  if (config.getContextObject(context) === null) {
    const known = config.getContexts().map(({ name }) => name)
    throw preconditionError('CONTEXT_UNKNOWN', `the kubeconfig has no context "${context}"`, {
      suggestions: ['kubectl config get-contexts'],
      details: { contexts: known },
    })
  }
  if (config.getCurrentCluster() === null) {
    throw preconditionError('NO_CLUSTER', `context "${context}" names a cluster that the kubeconfig does not have`, {
      suggestions: ['kubectl config view'],
    })
  }
  config.requireSomebody()
  return config
}

/**
 * Of several files the first word counts, and one that is not there says nothing. client-node takes the last one's current
 * context, which is another cluster than kubectl's, and refuses a name that two of them have.
 */
function loadAsKubectl(config: KubeConfig, files: readonly string[]): void {
  config.loadFromOptions({ clusters: [], users: [], contexts: [], currentContext: '' })
  for (const file of files.filter((one) => existsSync(one))) {
    const next = new ImpersonatingKubeConfig()
    next.loadFromFile(file)
    config.clusters = firstOfName(config.clusters, next.clusters)
    config.users = firstOfName(config.users, next.users)
    config.contexts = firstOfName(config.contexts, next.contexts)
    config.setCurrentContext(config.getCurrentContext() || next.getCurrentContext())
  }
}

const firstOfName = <One extends { readonly name: string }>(known: readonly One[], more: readonly One[]): One[] => [
  ...known,
  ...more.filter(({ name }) => !known.some((one) => one.name === name)),
]

function whyUnreadable(cause: unknown): string {
  const { code, name, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'it is a directory'
  if (code === 'EACCES') return 'reading it is not permitted'
  // The YAML parser's words are of many lines; what the content lacks shows as a TypeError of client-node.
  return name === 'TypeError' ? 'it is not a kubeconfig' : (message.split('\n')[0] ?? '').trim()
}
