import { preconditionError } from '../../errors.ts'
import type { PodTarget, PortForwards, Transport, TransportNews } from '../../ports.ts'
import { findProgram } from '../exec.ts'
import { KubectlTransport } from '../forward/kubectl-transport.ts'
import { Api } from './api.ts'
import { type ClusterOptions, loadKubeConfig } from './client.ts'
import { ReadyPods } from './ready-pods.ts'
import { WebSocketTransport } from './web-socket-transport.ts'

export class ClusterPortForwards implements PortForwards {
  readonly #options: ClusterOptions
  readonly #context: string
  #kubectl: string | undefined

  constructor(options: ClusterOptions) {
    this.#context = loadKubeConfig(options).getCurrentContext()
    // Whatever becomes the current context meanwhile, this forward stays where it was.
    this.#options = { ...options, context: this.#context }
  }

  async kubectlFound(): Promise<boolean> {
    this.#kubectl = await findProgram('kubectl')
    return this.#kubectl !== undefined
  }

  kubectl(target: PodTarget, tell: (news: TransportNews) => void): Transport {
    if (this.#kubectl === undefined) {
      throw preconditionError('NO_KUBECTL', 'there is no kubectl on the PATH', {
        suggestions: ['regctl dev-forward --transport websocket'],
      })
    }
    const { kubeconfig, clock } = this.#options
    const full = { ...target, context: this.#context, ...(kubeconfig === undefined ? {} : { kubeconfig }) }
    return new KubectlTransport({ kubectl: this.#kubectl, target: full, pods: this.#pods(target), clock, tell })
  }

  webSockets(target: PodTarget, tell: (news: TransportNews) => void): Transport {
    const config = () => loadKubeConfig(this.#options)
    return new WebSocketTransport({ config, target, pods: this.#pods(target), clock: this.#options.clock, tell })
  }

  #pods(sought: PodTarget): ReadyPods {
    const { clock, signal } = this.#options
    return new ReadyPods({ api: () => new Api(loadKubeConfig(this.#options), clock, signal), sought, clock })
  }
}
