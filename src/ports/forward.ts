import type { Duplex } from 'node:stream'
import type { ForwardReport, Traffic } from '../domain/forward/forward-report.ts'
import type { IdentityMaterial, Issued, MeshTarget } from '../domain/forward/identity.ts'
import type { PortHolder } from '../domain/forward/port-holder.ts'
import type { ExecResult, HttpResponse, Ports } from '../ports.ts'

/**
 * One way to the registry. `connect` gives a fresh byte stream to the registry's HTTP port, for a listener or a relay to carry on (they
 * may read past the stream), or fails with a RegctlError.
 */
export type Transport = {
  readonly mode: 'port-forward' | 'mesh' | 'proxy'
  connect(signal: AbortSignal): Promise<Duplex>
  close(): Promise<void>
}

/** What a transport tells while it works: whether it could carry a connection now, and over what or what it waits for. */
export type TransportNews = {
  readonly ready: boolean
  readonly detail: string
  readonly reconnected?: boolean
  /** Commands that may help where it waits. */
  readonly suggestions?: readonly string[]
}

/** The pods a port-forward leads to: the registry's, or the developers' gateway's. */
export type PodTarget = {
  readonly namespace: string
  readonly selector: string
  /** The port on the pod's loopback. */
  readonly port: number
  /** Whether what a fresh stream leads to is alive; by an HTTP request where not given. Rejects when it is not. */
  readonly probe?: (stream: Duplex, signal: AbortSignal) => Promise<unknown>
}

/** The ways through the API server. */
export interface PortForwards {
  kubectlFound(): Promise<boolean>
  kubectl(target: PodTarget, tell: (news: TransportNews) => void): Transport
  webSockets(target: PodTarget, tell: (news: TransportNews) => void): Transport
}

/** Service accounts of the cluster that the caller may take on. */
export interface Accounts {
  /** Namespace of the kubeconfig's context; `default` where it names none. */
  readonly namespace: string
  /** A token of the account that is good for `audience` alone. */
  token(
    account: { readonly namespace: string; readonly serviceAccount: string },
    options: { readonly audience: string; readonly seconds: number },
    signal: AbortSignal,
  ): Promise<string>
  /** Those of a namespace whose token RBAC lets the caller ask for by name. */
  mine(namespace: string): Promise<readonly string[]>
}

/** The mesh's certificate authority, as its clients are told of it. */
export type AuthorityTarget = {
  /** Name in its certificate, and the SNI that leads to it. */
  readonly name: string
  /** The mesh's roots in PEM. */
  readonly roots: string
}

/** The mesh from outside, over connections that end at the developers' gateway. */
export interface Mesh {
  /** TCP to `HOST:PORT`. */
  dial(address: string, signal: AbortSignal): Promise<Duplex>
  /** Rejects where the authority does not answer, or somebody else does. The connection is used up. */
  greet(connection: Duplex, authority: AuthorityTarget, signal: AbortSignal): Promise<void>
  /** A new key, and the authority's certificate for it. Both stay in memory. */
  certify(
    connection: Duplex,
    authority: AuthorityTarget,
    request: { readonly token: string; readonly seconds: number },
    signal: AbortSignal,
  ): Promise<Issued>
  /** mTLS to the registry's proxy, whose identity is checked, over a connection or to `HOST:PORT`, which is faster. */
  secure(
    to: Duplex | string,
    target: Pick<MeshTarget, 'sni' | 'principal'>,
    identity: IdentityMaterial,
    signal: AbortSignal,
  ): Promise<Duplex>
}

export type ListenOptions = {
  /** 0 takes a free one. */
  readonly port: number
  readonly addresses: readonly string[]
  /** Addresses that need not exist, such as ::1 on a machine without IPv6. */
  readonly optional: readonly string[]
  /** Hosts and origins that are this forward, for the port it got. */
  readonly names: (port: number) => { readonly hosts: readonly string[]; readonly origins: readonly string[] }
  readonly connect: (signal: AbortSignal) => Promise<Duplex>
  readonly report: () => ForwardReport
}

export type Listener = {
  readonly port: number
  readonly addresses: readonly string[]
  traffic(): Traffic
  /** Ends connections too. */
  close(): Promise<void>
}

/** A port that only programs of ours are told of. */
export type Relay = { readonly host: string; readonly port: number; close(): Promise<void> }

/** TCP ports of this machine that lead somewhere. */
export interface Listeners {
  /** Every connection as it is, whoever it is from. */
  relay(connect: (signal: AbortSignal) => Promise<Duplex>): Promise<Relay>
  /** @throws conflict error PORT_TAKEN with the holder in `details` */
  listen(options: ListenOptions): Promise<Listener>
  holder(port: number): Promise<PortHolder | undefined>
  /** The report of the forward that listens there; undefined where anything else does, or nothing. */
  ask(address: string, port: number): Promise<ForwardReport | undefined>
}

/** A detached forward, as its file in the user's state directory has it. */
export type ForwardRecord = {
  readonly port: number
  readonly pid: number
  /** Tells the process from a later one with the same pid. */
  readonly started: string
  readonly log: string
}

/** Background processes of this user. */
export interface Daemons {
  list(): Promise<readonly ForwardRecord[]>
  /**
   * Runs this command line again in the background, supervised, with its output in a log. Gives the log, the pid it will be
   * on record by, and how to tell whether it ended.
   */
  start(
    port: number,
    argv: readonly string[],
  ): Promise<{
    readonly log: string
    readonly pid: number | undefined
    readonly ended: () => Promise<string | undefined>
  }>
  /** Makes this process the one on record for the port; the promise it gives takes the record away. */
  enlist(port: number): Promise<() => Promise<void>>
  /** Ends it, gently first. False when it was gone already. */
  stop(record: ForwardRecord): Promise<boolean>
}

/** Programs of this machine. */
export interface Programs {
  /** Undefined where there is no such program. */
  run(
    argv: readonly string[],
    options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<ExecResult | undefined>
  /** With our own terminal; gives its exit code. */
  attach(
    argv: readonly string[],
    options: { readonly env: Readonly<Record<string, string>>; readonly signal: AbortSignal; readonly quiet: boolean },
  ): Promise<number>
  /** One GET over a socket of this machine; undefined where nobody answers. */
  askSocket(socket: string, path: string): Promise<HttpResponse | undefined>
}

/** A directory for a container, that this user alone reads, in memory where the machine can. */
export type MountedDirectory = {
  readonly path: string
  /** Each file is there as a whole or not at all. */
  write(files: Readonly<Record<string, string>>): Promise<void>
  /** Answers every request on a socket of that name with JSON. */
  answer(socket: string, content: () => Promise<unknown>): Promise<void>
  remove(): Promise<void>
}

export type RunningContainer = {
  /** Resolves to the end of what it said on stderr. */
  readonly ended: Promise<string>
  /** Also what is left of one that ended. */
  stop(): Promise<void>
}

/** What containers of ours take, beside an engine that is asked by its command line. */
export interface Containers {
  /** With these directories in it. What processes that are gone left is removed. */
  directory(...inside: readonly string[]): Promise<MountedDirectory>
  /** Tells this process from all others, for labels. */
  owner(): Promise<string>
  /** Whether that was a process of this user's that is gone. */
  isGone(owner: string): Promise<boolean>
  /** Runs the first attached for as long as this process lives, and the second when it is over, however that comes. */
  run(argv: readonly string[], last: readonly string[]): RunningContainer
}

/** What a forward needs besides. */
export type ForwardPorts = Ports & {
  readonly forwards: PortForwards
  readonly accounts: Accounts
  readonly mesh: Mesh
  readonly listeners: Listeners
  readonly programs: Programs
  readonly containers: Containers
}
