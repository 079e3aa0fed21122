import { randomBytes } from 'node:crypto'
import type { V1Pod } from '@kubernetes/client-node'
import { type Builder, builderContainer } from '../../domain/build/builders.ts'
import { imageName, reference } from '../../domain/build/image.ts'
import { type BuildPod, buildPodAlone } from '../../domain/build/job.ts'
import { hasProxy } from '../../domain/build/pod-state.ts'
import { preconditionError } from '../../errors.ts'
import type { BuildPorts } from '../../ports.ts'
import { type BuildIdentity, buildIdentity, registryPort } from './identity.ts'
import { runBuild } from './run.ts'

export type BuildInput = {
  readonly registryNamespace: string
  readonly context: string
  readonly image: string
  readonly dockerfile?: string
  readonly buildArgs: readonly string[]
  readonly builder: Builder
  readonly builderImage?: string
  readonly platform?: string
  readonly target?: string
  readonly privileged: boolean
  readonly namespace?: string
  readonly serviceAccount?: string
  readonly timeoutMs: number
}

export type BuildResult = {
  readonly image: string
  readonly digest: string
  readonly namespace: string
  readonly serviceAccount: string
  readonly builder: Builder
}

/** Builds and pushes with the identity of the grant. Nothing of the build is left in the cluster, however it ends. */
export async function build(ports: BuildPorts, input: BuildInput): Promise<BuildResult> {
  const { kube, contexts, cleanup } = ports
  const { registryNamespace, namespace, serviceAccount, builder } = input
  const wanted = imageName(input.image, await registryPort(kube, registryNamespace, namespace))
  const identity = await buildIdentity(kube, {
    registryNamespace,
    repository: wanted.repository,
    ...(namespace === undefined ? {} : { namespace }),
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
  })
  const context = await contexts.pack(input.context, input.dockerfile)
  const destination = reference(wanted, identity.port)
  const steps = {
    dockerfile: context.dockerfile,
    buildArgs: input.buildArgs,
    destination,
    privileged: input.privileged,
    ...(input.platform === undefined ? {} : { platform: input.platform }),
    ...(input.target === undefined ? {} : { target: input.target }),
    ...(input.builderImage === undefined ? {} : { image: input.builderImage }),
  }
  const name = `regctl-build-${randomBytes(5).toString('hex')}`
  const pod = { ...identity, name, ...builderContainer[builder](steps) }
  const work = { repository: wanted.repository, archive: context.archive, timeoutMs: input.timeoutMs }
  try {
    await checkAdmission(ports, identity, pod)
    const digest = await runBuild(ports, pod, work).finally(() =>
      cleanup.remove({ apiVersion: 'batch/v1', kind: 'Job', namespace: pod.namespace, name }),
    )
    return {
      image: destination,
      digest,
      namespace: identity.namespace,
      serviceAccount: identity.serviceAccount,
      builder,
    }
  } finally {
    context.archive.destroy()
  }
}

/** What a Job would only tell in events, a dry run of its pod tells at once: quota, PodSecurity, a proxy that is not put in. */
async function checkAdmission({ kube }: BuildPorts, identity: BuildIdentity, pod: BuildPod): Promise<void> {
  const admitted = await kube.create(buildPodAlone(pod), { dryRun: true })
  if (admitted === undefined || hasProxy(admitted as unknown as V1Pod)) return
  const { namespace } = identity
  throw preconditionError('NOT_INJECTED', `pods of namespace "${namespace}" get no Istio proxy, so no localhost`, {
    suggestions: [`regctl grant ${namespace} REPOSITORY --inject`, `kubectl get namespace ${namespace} --show-labels`],
  })
}
