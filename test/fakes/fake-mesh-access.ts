import { type Duplex, PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import type { Issued } from '../../src/domain/forward/identity.ts'
import { accessObject, type DeveloperAccess } from '../../src/domain/stack/developer-access.ts'
import { clusterError } from '../../src/errors.ts'
import type { Accounts, AuthorityTarget, Mesh } from '../../src/ports/forward.ts'
import type { FakeCluster } from './cluster.ts'

export const ACCOUNT = { namespace: 'team', serviceAccount: 'developer-ada-1' }
export const PRINCIPAL = 'spiffe://cluster.local/ns/team/sa/developer-ada-1'
const AT = { namespace: 'kube-registry', port: 5000, clusterDomain: 'cluster.local' }

export const access = (
  addresses: readonly string[] = ['10.0.0.1:15443'],
  registryAddresses: readonly string[] = [],
): DeveloperAccess => ({
  addresses,
  registryAddresses,
  roots: '-----BEGIN CERTIFICATE-----\nroots\n-----END CERTIFICATE-----\n',
  trustDomain: 'cluster.local',
  clusterDomain: 'cluster.local',
  port: 5000,
  authority: 'istiod.istio-system.svc',
})

export function publish(cluster: FakeCluster, what: DeveloperAccess = access()): void {
  cluster.store.put(accessObject(AT, what))
}

/** Connections that carry nothing; what is asked of them is on record, and may be made to fail. */
export class FakeWayIn implements Mesh {
  readonly dialled: string[] = []
  readonly secured: Issued[] = []
  certified = 0
  principal = PRINCIPAL
  /** Milliseconds that a certificate is good for, by its own words. */
  life = 3_600_000
  /** Addresses where nobody is, or somebody else. */
  dead = new Set<string>()
  foreign = new Set<string>()
  authority: 'well' | 'away' = 'well'
  registry: 'well' | 'away' = 'well'
  readonly #place = new WeakMap<object, string>()

  async dial(address: string, _signal?: AbortSignal): Promise<Duplex> {
    await turn()
    this.dialled.push(address)
    if (this.dead.has(address)) throw clusterError('GATEWAY_UNREACHABLE', `cannot reach ${address}: ECONNREFUSED`)
    const stream = new PassThrough()
    this.#place.set(stream, address)
    return stream
  }

  async greet(connection: Duplex): Promise<void> {
    await turn()
    this.#passOn(connection)
    if (this.authority === 'away') throw clusterError('HANDSHAKE_FAILED', 'istiod is away')
  }

  async certify(_connection: Duplex, { roots }: AuthorityTarget): Promise<Issued> {
    await turn()
    if (this.authority === 'away') throw clusterError('CERTIFICATE_FAILED', 'istiod is away')
    this.certified += 1
    const pem = { certificateChain: `chain ${this.certified}`, privateKey: 'key', roots }
    return { ...pem, principal: this.principal, notBefore: 0, notAfter: this.life }
  }

  async secure(
    to: Duplex | string,
    _target: unknown,
    identity: Issued | object,
    signal?: AbortSignal,
  ): Promise<Duplex> {
    const connection = typeof to === 'string' ? await this.dial(to, signal) : to
    await turn()
    this.#passOn(connection)
    if (this.registry === 'away') throw clusterError('HANDSHAKE_FAILED', 'no TLS with "registry"')
    this.secured.push(identity as Issued)
    return connection
  }

  #passOn(connection: Duplex): void {
    const address = this.#place.get(connection) ?? ''
    if (this.foreign.has(address)) throw clusterError('WRONG_PEER', `${address} is not of this mesh`)
  }
}

export class FakeAccounts implements Accounts {
  namespace = 'team'
  accounts: readonly string[] = [ACCOUNT.serviceAccount]
  readonly asked: string[] = []

  async token({ namespace, serviceAccount }: { namespace: string; serviceAccount: string }): Promise<string> {
    this.asked.push(`${namespace}/${serviceAccount}`)
    return 'token'
  }

  async mine(): Promise<readonly string[]> {
    return this.accounts
  }
}
