import { type Installation, nodeNamespace } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { denying } from './admission-policy.ts'

const free = (list: string, port: number): string =>
  `(!has(object.spec.${list}) || object.spec.${list}.all(c, !has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort != ${port})))`

/**
 * Keeps the node's registry port for the node proxy: a pod that got it while the proxy is replaced would be the
 * registry for every kubelet. The scheduler sees only declared ports, so this is admission, not scheduling.
 */
export const hostPortPolicy = (at: Installation): readonly KubeObject[] =>
  denying(at, `regctl-host-port-${at.namespace}`, {
    except: [nodeNamespace(at)],
    resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
    validations: [
      {
        expression: `${free('containers', at.port)} && ${free('initContainers', at.port)}`,
        message: `host port ${at.port} belongs to the registry's node proxy (namespace ${nodeNamespace(at)}); use another hostPort`,
      },
    ],
  })
