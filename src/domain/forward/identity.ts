/** A workload's certificate as istiod issued it, all in PEM. */
export type IdentityMaterial = {
  readonly certificateChain: string
  readonly privateKey: string
  /** The mesh's roots, to check the other side by. */
  readonly roots: string
}

/** A certificate with what it says. Times are milliseconds since 1970. */
export type Issued = IdentityMaterial & {
  /** Its SPIFFE ID. */
  readonly principal: string
  readonly notBefore: number
  readonly notAfter: number
}

/** The TLS that leads through the developers' gateway to the registry's proxy, and nowhere else. */
export type MeshTarget = {
  readonly host: string
  readonly port: number
  /** The gateway passes by it: `outbound_.PORT_._.SERVICE.NAMESPACE.svc.DOMAIN`. */
  readonly sni: string
  /** SPIFFE ID of the registry's service account; any other certificate there is refused. */
  readonly principal: string
}
