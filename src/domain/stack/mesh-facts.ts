import type { V1Container, V1Volume } from '@kubernetes/client-node'
import type { MutationApi } from './context-first.ts'

/** What preflight learned about the mesh, as far as it shapes what is installed. */
export type MeshFacts = {
  /** Version of istiod, such as `1.31.0`. */
  readonly istioVersion: string
  /** `proxy.istio.io/config` knows `connectionSettings` (Istio 1.31 and later); else an EnvoyFilter does the same. */
  readonly connectionSettings: boolean
  /** Istio's CNI plugin is installed, so pods need no privileged init container. */
  readonly cni: boolean
  readonly ambient: boolean
  readonly clusterDomain: string
  /** Where the mesh's proxies get their certificates. */
  readonly authority: Authority
  /** The cluster serves ValidatingAdmissionPolicy. */
  readonly admissionPolicies: boolean
  /** The version in which it serves MutatingAdmissionPolicy; absent where it does not. */
  readonly mutationApi?: MutationApi
  /** The proxy container as the mesh's own injector writes it for a gateway pod. */
  readonly proxy: ProxyTemplate
}

/** `host` is also the name in its certificate. */
export type Authority = { readonly host: string; readonly port: number }

export type ProxyTemplate = { readonly container: V1Container; readonly volumes: readonly V1Volume[] }

/** `1.31.0-rc.1` → [1, 31]. */
export function minorOf(version: string): readonly [number, number] {
  const match = /^v?(\d+)\.(\d+)/.exec(version)
  return match === null ? [0, 0] : [Number(match[1]), Number(match[2])]
}
