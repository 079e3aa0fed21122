import type { Duplex, Readable } from 'node:stream'
import type { KubeObject, ObjectRef } from './domain/kube-object.ts'

/** A resource type in the API, enough to list it. */
export type ResourceType = { readonly apiVersion: string; readonly kind: string }

export type ListOptions = { readonly namespace?: string; readonly labelSelector?: string }

export type ApplyOptions = {
  readonly dryRun?: boolean
  /** Take fields over from other managers. Without it a field another manager owns is a 409, which becomes a ConflictError. */
  readonly force?: boolean
}

export type RemoveOptions = {
  readonly gracePeriodSeconds?: number
  readonly uid?: string
  /** A change since then is a 409, as with `apply`. */
  readonly resourceVersion?: string
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
  remove(ref: ObjectRef, options?: RemoveOptions): Promise<boolean>
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

/** What exposing takes. */
export type ExposePorts = Ports & {
  /** TCP from this machine to `HOST:PORT`. */
  dial(address: string, signal: AbortSignal): Promise<Duplex>
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
