import { createHash } from 'node:crypto'
import type { KubeObject } from '../../src/domain/kube-object.ts'
import { refOf } from '../../src/domain/kube-object.ts'
import type { ObjectStore } from './object-store.ts'

type PodTemplate = {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> }
  readonly spec: { readonly containers: readonly { readonly name: string; readonly image: string }[] }
}

/** What a pod's status is once it has started. */
export type Start = (pod: { readonly namespace: string; readonly node: string }) => Readonly<Record<string, unknown>>

export const ready: Start = () => ({ phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] })
export const starting: Start = () => ({ phase: 'Pending', conditions: [{ type: 'Ready', status: 'False' }] })

/** The controllers of Deployments and DaemonSets and the nodes' kubelets, all at once and with one replica. */
export class Workloads {
  start: Start = ready
  #pods = 0
  readonly #store: ObjectStore

  constructor(store: ObjectStore) {
    this.#store = store
    store.watchers.push((object) => this.#follow(object))
  }

  /** Looks at everything again, as after `start` was changed. */
  again(): void {
    for (const pod of this.#store.list({ apiVersion: 'v1', kind: 'Pod' })) {
      const { nodeName = '' } = pod.spec as { nodeName?: string }
      if (pod.metadata.ownerReferences !== undefined)
        this.#store.put({ ...pod, status: this.#status(pod, pod.metadata.namespace ?? '', nodeName) })
    }
  }

  #follow({ kind, metadata }: KubeObject): void {
    for (const type of ['Deployment', 'DaemonSet'])
      for (const workload of this.#store.list({ apiVersion: 'apps/v1', kind: type }))
        if (
          workload.spec !== undefined &&
          (kind === 'Pod' || (kind === type && metadata.uid === workload.metadata.uid)) &&
          workload.metadata.deletionTimestamp === undefined &&
          workload.metadata.namespace?.startsWith('kube-registry') === true
        )
          this.#reconcile(workload)
  }

  #reconcile(workload: KubeObject): void {
    const { template } = workload.spec as { template: PodTemplate }
    const hash = createHash('sha256').update(JSON.stringify(template)).digest('hex').slice(0, 6)
    const namespace = workload.metadata.namespace ?? ''
    const nodes = this.#store.list({ apiVersion: 'v1', kind: 'Node' }).map(({ metadata }) => metadata.name)
    const places = workload.kind === 'DaemonSet' ? nodes : nodes.slice(0, 1)
    for (const pod of this.#podsOf(workload))
      if (pod.metadata.labels?.hash !== hash && pod.metadata.deletionTimestamp === undefined)
        this.#store.remove(refOf(pod))
    for (const node of places) {
      if (this.#podsOf(workload).some(({ spec }) => (spec as { nodeName: string }).nodeName === node)) continue
      const { apiVersion, kind, metadata } = workload
      const pod: KubeObject = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: `${metadata.name}-${this.#number()}`,
          namespace,
          labels: { ...template.metadata.labels, hash },
          ownerReferences: [{ apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '' }],
        },
        spec: { ...template.spec, nodeName: node },
      }
      this.#store.put({ ...pod, status: this.#status(pod, namespace, node) })
    }
    this.#report(workload, places.length)
  }

  /** Higher than of any pod there was. */
  #number(): number {
    this.#pods = Math.max(
      this.#pods,
      ...this.#store
        .list({ apiVersion: 'v1', kind: 'Pod' })
        .map(({ metadata }) => Number(/\d+$/.exec(metadata.name) ?? 0)),
    )
    return ++this.#pods
  }

  #report(workload: KubeObject, wanted: number): void {
    const pods = this.#podsOf(workload).map(({ status }) => status as { conditions?: { status: string }[] })
    const readyPods = pods.filter(({ conditions }) => conditions?.[0]?.status === 'True').length
    const observedGeneration = workload.metadata.generation ?? 0
    const status =
      workload.kind === 'DaemonSet'
        ? { desiredNumberScheduled: wanted, numberReady: readyPods, updatedNumberScheduled: pods.length }
        : { replicas: pods.length, readyReplicas: readyPods, updatedReplicas: pods.length }
    const now = this.#store.read(refOf(workload))
    if (now !== undefined) this.#store.put({ ...now, status: { observedGeneration, ...status } })
  }

  #status(pod: KubeObject, namespace: string, node: string) {
    const status = this.start({ namespace, node })
    const isReady = (status.conditions as { status: string }[] | undefined)?.[0]?.status === 'True'
    const containers = (pod.spec as PodTemplate['spec']).containers
    const containerStatuses = containers.map(({ name, image }) => ({
      name,
      image,
      imageID: isReady ? `${image}@sha256:${'0'.repeat(64)}` : '',
      ready: isReady,
      restartCount: 0,
      state: isReady ? { running: {} } : { waiting: { reason: 'ContainerCreating' } },
    }))
    return { containerStatuses, ...status }
  }

  #podsOf({ metadata }: KubeObject): readonly KubeObject[] {
    return this.#store
      .list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: metadata.namespace ?? '' })
      .filter((pod) => pod.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid))
  }
}
