import type { Installation } from '../../domain/installation.ts'
import { isReady } from '../../domain/ready-pods.ts'
import { clusterError } from '../../errors.ts'
import type { Ports } from '../../ports.ts'
import { nodeProxyPods } from '../cluster/proxy.ts'

/** Requests through a node's proxy and what must come back. */
const CHECKS = [
  { method: 'GET', path: '/v2/', status: 200, what: 'a pull' },
  { method: 'POST', path: '/v2/regctl-self-test/blobs/uploads/', status: 403, what: 'a push' },
] as const

/**
 * Goes the kubelet's way: through the API server to a node proxy's loopback, which is the node's own, and from
 * there to the registry. A port-forward to a hostNetwork pod ends on the node's loopback.
 * @throws cluster error SELF_TEST
 */
export async function selfTest(ports: Ports, at: Installation): Promise<string> {
  const pod = (await nodeProxyPods(ports, at)).find(isReady)
  if (pod === undefined) throw clusterError('SELF_TEST', 'no node proxy is ready', { suggestions: ['regctl status'] })
  const { namespace = '', name = '' } = pod.metadata ?? {}
  const deadline = ports.clock.now() + 15_000
  for (const check of CHECKS) {
    for (;;) {
      const { status, body } = await ports.pods.request(
        namespace,
        name,
        at.port,
        { method: check.method, path: check.path, headers: { host: `localhost:${at.port}` } },
        ports.signal,
      )
      if (status === check.status) break
      // The proxy is ready before its first connection upstream is.
      if (status < 500 || ports.clock.now() > deadline) {
        throw clusterError(
          'SELF_TEST',
          `${check.what} through the node proxy of ${pod.spec?.nodeName} got ${status} instead of ${check.status}: ${body.slice(0, 200)}`,
          {
            suggestions: ['regctl doctor', `kubectl logs -n ${namespace} ${name}`],
          },
        )
      }
      await ports.clock.sleep(500, ports.signal)
    }
  }
  return pod.spec?.nodeName ?? ''
}
