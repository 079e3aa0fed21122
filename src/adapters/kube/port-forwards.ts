import type { KubeConfig } from '@kubernetes/client-node'
import { preconditionError } from '../../errors.ts'
import type { PodTarget, PortForwards, Transport, TransportNews } from '../../ports/forward.ts'
import { findProgram } from '../exec.ts'
import { KubectlTransport } from '../forward/kubectl-transport.ts'
import { type ClusterOptions, loadAgain, loadKubeConfig, openApi } from './client.ts'
import { ReadyPods } from './ready-pods.ts'
import { WebSocketTransport } from './web-socket-transport.ts'

export class ClusterPortForwards implements PortForwards {
  readonly #options: ClusterOptions
  readonly #config: KubeConfig
  #kubectl: string | undefined

  constructor(options: ClusterOptions) {
    this.#options = options
    this.#config = loadKubeConfig(options)
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
    const full = {
      ...target,
      context: this.#config.getCurrentContext(),
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
    }
    return new KubectlTransport({ kubectl: this.#kubectl, target: full, pods: this.#pods(target), clock, tell })
  }

  webSockets(target: PodTarget, tell: (news: TransportNews) => void): Transport {
    const config = () => loadAgain(this.#config, this.#options)
    return new WebSocketTransport({ config, target, pods: this.#pods(target), clock: this.#options.clock, tell })
  }

  #pods(sought: PodTarget): ReadyPods {
    const { clock } = this.#options
    return new ReadyPods({
      api: openApi({ ...this.#options, context: this.#config.getCurrentContext() }),
      sought,
      clock,
    })
  }
}
