import type { Duplex, Readable } from 'node:stream'
import type { ForwardReport, Traffic } from './domain/forward/forward-report.ts'
import type { IdentityMaterial, Issued, MeshTarget } from './domain/forward/identity.ts'
import type { PortHolder } from './domain/forward/port-holder.ts'
import type { KubeObject, ObjectRef } from './domain/kube-object.ts'

/** A resource type in the API, enough to list it. */
export type ResourceType = { readonly apiVersion: string; readonly kind: string }

export type ListOptions = { readonly namespace?: string; readonly labelSelector?: string }

export type ApplyOptions = {
  readonly dryRun?: boolean
  /** Take fields over from other managers. Without it a field another manager owns is a 409, which becomes a ConflictError. */
  readonly force?: boolean
}

/** One right, as SelfSubjectAccessReview asks for it. */
export type Right = {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
}

export type ExecResult = { readonly stdout: string; readonly stderr: string; readonly exitCode: number }

export type HttpResponse = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The API server. Every write carries field manager `regctl`. 404 is `undefined`, never an exception. */
export interface Kube {
  /** Name of the kubeconfig context and the server's address, for messages. */
  readonly target: { readonly context: string; readonly server: string }
  get(ref: ObjectRef, signal?: AbortSignal): Promise<KubeObject | undefined>
  /** All namespaces without `namespace`. A type the cluster does not know gives an empty list. */
  list(type: ResourceType, options?: ListOptions): Promise<readonly KubeObject[]>
  /**
   * Server-side apply. With `metadata.resourceVersion` set, a change since then is a 409 (error code CONFLICT_CHANGED);
   * with `metadata.uid` set, so is a removal, after which it would otherwise be made again.
   */
  apply(object: KubeObject, options?: ApplyOptions): Promise<KubeObject>
  /** Plain create; `undefined` when it exists already. */
  create(object: KubeObject, options?: { readonly dryRun?: boolean }): Promise<KubeObject | undefined>
  /** JSON merge patch of an object regctl does not own as a whole (for example a label on a user's namespace). */
  mergePatch(ref: ObjectRef, patch: Readonly<Record<string, unknown>>): Promise<KubeObject>
  /** False when it was not there. */
  remove(ref: ObjectRef, options?: { readonly gracePeriodSeconds?: number; readonly uid?: string }): Promise<boolean>
  /** Does the API server serve this type? */
  serves(type: ResourceType): Promise<boolean>
  can(right: Right): Promise<boolean>
  version(): Promise<{ readonly gitVersion: string; readonly major: number; readonly minor: number }>
}

/** Looking into running pods. */
export interface Pods {
  exec(
    namespace: string,
    pod: string,
    container: string,
    argv: readonly string[],
    signal?: AbortSignal,
  ): Promise<ExecResult>
  logs(
    namespace: string,
    pod: string,
    container: string,
    options: { readonly tailLines: number; readonly previous?: boolean },
  ): Promise<string>
  /** One HTTP request through a port-forward to the pod's loopback. */
  request(
    namespace: string,
    pod: string,
    port: number,
    request: { readonly method: string; readonly path: string; readonly headers?: Readonly<Record<string, string>> },
    signal?: AbortSignal,
  ): Promise<HttpResponse>
}

/** One way to the registry. `connect` gives a fresh byte stream to the registry's HTTP port, or fails with a RegctlError. */
export type Transport = {
  readonly mode: 'port-forward' | 'mesh' | 'proxy'
  connect(signal: AbortSignal): Promise<Duplex>
  close(): Promise<void>
}

/** What a transport tells while it works: whether it could carry a connection now, and over what or what it waits for. */
export type TransportNews = { readonly ready: boolean; readonly detail: string; readonly reconnected?: boolean }

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
  /** mTLS to the registry's proxy, whose identity is checked. */
  secure(
    connection: Duplex,
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

/** The files regctl ships. */
export interface Assets {
  /** The objects of `assets/manifests/NAME`, in file order. */
  manifests(name: string): Promise<readonly KubeObject[]>
}

export interface Clock {
  now(): number
  /** Rejects with the signal's reason when aborted. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>
}

/** Where progress and remarks go: always stderr, so that stdout carries data alone. */
export interface Reporter {
  /** Starts a step; the title is imperative, sentence case, without a full stop. */
  step<T>(title: string, run: (note: (text: string) => void) => Promise<T>): Promise<T>
  info(text: string): void
  warn(text: string): void
}

/** One file to be written. `before` is what was read, `undefined` where there was none. */
export type FileEdit = { readonly path: string; readonly before: string | undefined; readonly text: string }

/** The user's own files. Texts are UTF-8, a byte order mark included. */
export interface Files {
  readonly home: string
  /** Directory of what regctl remembers on this machine. */
  readonly state: string
  resolve(...parts: readonly string[]): string
  isDirectory(path: string): Promise<boolean>
  /** `undefined` when it is not there. */
  read(path: string): Promise<string | undefined>
  /** Writes all of them or, where one is refused, none; errors are conflicts. */
  write(edits: readonly FileEdit[]): Promise<void>
  remove(path: string): Promise<void>
}

/** The registry as this machine has it, through a forward or of its own. */
export interface LocalRegistry {
  /** What answers HTTP on the port: a registry, another program, or nothing. */
  probe(port: number, signal: AbortSignal): Promise<'registry' | 'other' | 'nothing'>
}

/** All that a use case may touch. */
export type Ports = {
  readonly kube: Kube
  readonly pods: Pods
  readonly assets: Assets
  readonly clock: Clock
  readonly report: Reporter
  readonly signal: AbortSignal
}

/** What opening a port of the nodes takes. */
export type OpenPortPorts = Ports & {
  /** Works after the command was interrupted, too. */
  readonly cleanup: Pick<Kube, 'remove'>
}

/** What editing and checking a Skaffold project takes. */
export type SkaffoldPorts = Pick<Ports, 'kube' | 'report' | 'signal'> & {
  readonly files: Files
  readonly localRegistry: LocalRegistry
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

/** A build context on its way: what it sends, and the path of the Dockerfile in it. */
export type PackedContext = {
  /** A gzipped tar archive; errors of reading the files come out of it. */
  readonly archive: Readable
  readonly dockerfile: string
}

/** Directories of this machine that images are built from. */
export interface BuildContexts {
  /** Without what its ignore file names. @throws precondition and usage errors */
  pack(directory: string, dockerfile: string | undefined): Promise<PackedContext>
}

/** The pods of builds. */
export interface BuildPods {
  /** Sends it all to the container's stdin and closes that. */
  send(namespace: string, pod: string, container: string, content: Readable, signal: AbortSignal): Promise<void>
  /** Tells the container's log from this byte on, until it ends or the connection does. */
  follow(
    namespace: string,
    pod: string,
    container: string,
    from: number,
    tell: (chunk: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<void>
}

/** What a build in the cluster takes. */
export type BuildPorts = Ports & {
  readonly contexts: BuildContexts
  readonly buildPods: BuildPods
  /** Works after the command was interrupted, too. */
  readonly cleanup: Pick<Kube, 'remove'>
  /** Where the log goes. */
  readonly log: (chunk: Uint8Array) => void
}
