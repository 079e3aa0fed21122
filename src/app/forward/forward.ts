import { randomUUID } from 'node:crypto'
import { Changes } from '../../domain/changes.ts'
import { ownHosts } from '../../domain/forward/admission.ts'
import { type ForwardReport, type ForwardState, NO_TRAFFIC } from '../../domain/forward/forward-report.ts'
import { conflictError } from '../../errors.ts'
import type { ForwardPorts, Listener, TransportNews } from '../../ports/forward.ts'
import type { ForwardPlan } from './plan.ts'

/** A way to the registry with a port of this machine's that leads to it. */
export class Forward {
  readonly #ports: ForwardPorts
  readonly #plan: ForwardPlan
  readonly #startedAt: string
  readonly #instance = randomUUID()
  readonly #changes = new Changes()
  #state: ForwardState = 'starting'
  #detail = 'looking for the registry'
  #suggestions: readonly string[] = []
  #reconnects = 0
  #docker: string | undefined
  #listener: Listener | undefined

  static async open(ports: ForwardPorts, plan: ForwardPlan): Promise<Forward> {
    const forward = new Forward(ports, plan)
    try {
      await forward.#open()
      return forward
    } catch (error) {
      await forward.close()
      throw error
    }
  }

  private constructor(ports: ForwardPorts, plan: ForwardPlan) {
    this.#ports = ports
    this.#plan = plan
    this.#startedAt = new Date(ports.clock.now()).toISOString()
  }

  get report(): ForwardReport {
    const { leads, input, port } = this.#plan
    return {
      ...leads,
      state: this.#state,
      detail: this.#detail,
      port: this.#listener?.port ?? port,
      addresses: this.#listener?.addresses ?? [],
      ...(this.#listener?.traffic() ?? NO_TRAFFIC),
      reconnects: this.#reconnects,
      pid: process.pid,
      startedAt: this.#startedAt,
      instance: this.#instance,
      version: input.version,
      ...(input.log === undefined ? {} : { log: input.log }),
      ...(this.#docker === undefined ? {} : { docker: this.#docker }),
    }
  }

  /** What may help where it waits. */
  get suggestions(): readonly string[] {
    return this.#suggestions
  }

  onChange(listener: () => void): () => void {
    return this.#changes.listen(listener)
  }

  /** True once connections can be carried, false when the time is over before. */
  async ready(timeoutMs: number): Promise<boolean> {
    const limit = AbortSignal.timeout(timeoutMs)
    while (this.#state !== 'ready') {
      this.#ports.signal.throwIfAborted()
      if (limit.aborted) return false
      await this.#changes.next(AbortSignal.any([limit, this.#ports.signal]))
    }
    return true
  }

  noteDocker(why: string): void {
    this.#docker = why
    this.#changes.tell()
  }

  async close(): Promise<void> {
    this.#state = 'stopped'
    await this.#listener?.close()
  }

  async #open(): Promise<void> {
    const { way, addresses, optional, port } = this.#plan
    const names = (own: number) => ({
      // A bridge out of a virtual machine comes by another port, with the name the daemon there knows.
      hosts: [...new Set([...ownHosts(own, addresses), ...ownHosts(way.port)])],
      origins: ownHosts(own, addresses),
    })
    const options = {
      port,
      addresses,
      optional,
      names,
      report: () => this.report,
    }
    this.#listener = await way.serve(options, (news) => this.#take(news))
    await this.#askMyself()
  }

  /** Some systems let two processes have one port, by a more and a less specific address, and the other gets our clients. */
  async #askMyself(): Promise<void> {
    const { addresses = [], port = 0 } = this.#listener ?? {}
    for (const address of addresses) {
      const report = await this.#ports.listeners.ask(address, port)
      if (report?.instance === this.#instance) continue
      throw conflictError('PORT_TAKEN', `port ${port} of ${address} is answered by somebody else`, {
        suggestions: [`regctl dev-forward --port ${port + 1}`],
        details: { port },
      })
    }
  }

  #take({ ready, detail, reconnected, suggestions = [] }: TransportNews): void {
    if (this.#state === 'stopped') return
    this.#state = ready ? 'ready' : 'waiting'
    this.#detail = detail
    this.#suggestions = suggestions
    if (reconnected === true) this.#reconnects += 1
    this.#changes.tell()
  }
}
