import { expect } from 'vitest'
import { apply, REGISTRY, remove } from '../attacks/kit.ts'
import { eventually, kubectlOk } from '../cluster.ts'

const NAME = 'e2e-identities'
const MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'

/** Who pushed what, as the registry's own proxy saw it. */
export type Identities = AsyncDisposable & {
  /** Every identity whose push to the repository was let through. */
  readonly expectPushedBy: (repository: string, identity: string) => Promise<void>
}

/**
 * Has the registry's proxy write the peer of each request to its log: Istio's format has its address only. The log of the
 * mesh stays as it is.
 */
export async function identities(): Promise<Identities> {
  const since = new Date().toISOString()
  const format = `${NAME} %DOWNSTREAM_PEER_URI_SAN% %REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE%\n`
  await apply({
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: { name: NAME, namespace: REGISTRY },
    spec: {
      workloadSelector: { labels: { app: REGISTRY } },
      configPatches: [
        {
          applyTo: 'NETWORK_FILTER',
          match: {
            context: 'SIDECAR_INBOUND',
            listener: { filterChain: { filter: { name: 'envoy.filters.network.http_connection_manager' } } },
          },
          patch: {
            operation: 'MERGE',
            value: {
              typed_config: {
                '@type': `type.googleapis.com/${MANAGER}`,
                access_log: [
                  {
                    name: NAME,
                    typed_config: {
                      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
                      path: '/dev/stdout',
                      log_format: { text_format_source: { inline_string: format } },
                    },
                  },
                ],
              },
            },
          },
        },
      ],
    },
  })
  const log = () =>
    kubectlOk(['logs', '-n', REGISTRY, `deployment/${REGISTRY}`, '-c', 'istio-proxy', `--since-time=${since}`])
  return {
    expectPushedBy: async (repository, identity) => {
      // Envoy writes its log out every ten seconds.
      await eventually(
        async () => {
          const pushes = [
            ...(await log()).matchAll(new RegExp(`^${NAME} (\\S+) PUT (/v2/\\S+/manifests/\\S+) 201$`, 'gm')),
          ]
          const peers = pushes.filter(([, , path]) => path?.startsWith(`/v2/${repository}/manifests/`) === true)
          expect(new Set(peers.map(([, peer]) => peer))).toEqual(new Set([identity]))
        },
        { timeout: 25_000, every: 1000 },
      )
    },
    [Symbol.asyncDispose]: async () => {
      await remove('envoyfilter', [NAME], '-n', REGISTRY)
    },
  }
}
