import type { Request } from '../../../src/domain/envoy/rbac.ts'
import type { Grant } from '../../../src/domain/policy/grant.ts'

const LOCAL = /^(localhost|127\.0\.0\.1|\[::1\]):5000$/i

/** What grants mean, in the words of the guide and not of any policy: the oracle of the tests. */
export function means(grants: readonly Grant[], { principal, method, path, host, port }: Request): boolean {
  const [, namespace, account] = /\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(principal) ?? []
  const read = method === 'GET' || method === 'HEAD'
  const inside = port === 5000
  if ((!inside && port !== 5443) || !path.startsWith('/v2/') || path.startsWith('/v2/_catalog')) return false
  const listing = /\/tags\/list\/?$/.test(path)
  if (namespace === 'kube-registry-node' && account === 'registry-node')
    return inside && read && !listing && LOCAL.test(host)
  const all = grants.filter((grant) => grant.namespace === namespace && (grant.serviceAccount ?? account) === account)
  const isDeveloper = all.some(({ developer }) => developer !== undefined)
  // People come in by their own port alone, and nobody else does.
  if (isDeveloper === inside) return false
  const own = all.filter(({ developer }) => (developer !== undefined) === isDeveloper)
  if (own.length === 0) return false
  if (own.some((grant) => reachesPath(grant, path, read) && (read || (!grant.readOnly && isWrite(method))))) return true
  if (!read) return false
  return path === '/v2/' || (!listing && own.some((grant) => !grant.readOnly))
}

const isWrite = (method: string): boolean => ['POST', 'PUT', 'PATCH'].includes(method)

/** Is the path one of the repository's own, or with a subtree grant anything below it? */
function reachesPath({ repository, exact }: Grant, path: string, read: boolean): boolean {
  const base = `/v2/${repository}/`
  if (!path.startsWith(base)) return false
  if (!exact) return true
  const [first, second, third, ...more] = path.slice(base.length).split('/')
  if (more.length > 0) return false
  if (first === 'blobs' && second === 'uploads' && third !== undefined) return read ? third !== '' : true
  if (third !== undefined) return false
  if (first === 'manifests') return second !== undefined && second !== ''
  if (!read) return false
  if (first === 'tags') return second === 'list'
  return (first === 'blobs' || first === 'referrers') && second !== undefined && second !== ''
}
