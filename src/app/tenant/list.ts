import { exemptNamespaces } from '../../domain/stack/pod-admission.ts'
import type { Share, Tenant } from '../../domain/tenant/tenants.ts'
import type { Ports } from '../../ports.ts'
import { requireInstalled } from '../cluster/installed.ts'
import { meshNamespace } from '../cluster/mesh.ts'
import { readTenants } from './state.ts'

export type TenantList = {
  readonly tenants: readonly Tenant[]
  readonly shares: readonly Share[]
  /** Namespaces whose pods may come to their node's loopback: nothing is private from them. */
  readonly exempt: readonly string[]
}

export async function listTenants({ kube }: Ports, registryNamespace: string): Promise<TenantList> {
  const { at } = await requireInstalled(kube, registryNamespace)
  const [{ tenants, shares, exempt }, mesh] = await Promise.all([readTenants(kube, at), meshNamespace(kube)])
  return { tenants, shares, exempt: [...new Set([...exemptNamespaces(at, mesh), ...exempt])] }
}
