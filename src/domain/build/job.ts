import type { KubeObject } from '../kube-object.ts'
import { BUILD_CONTAINER } from './pod-state.ts'

/** Label on a build's Job and pod; its value is the Job's name. */
export const BUILD_LABEL = 'regctl.dev/build'

export type BuildPod = {
  readonly name: string
  readonly namespace: string
  readonly serviceAccount: string
  /** By which the namespace's Sidecar selects builders, where its grant was given with `--pods`. */
  readonly labels: Readonly<Record<string, string>>
  /** Image, command and rights of the builder that runs in it. */
  readonly container: Readonly<Record<string, unknown>>
  readonly annotations: Readonly<Record<string, string>>
  readonly volumes: readonly Readonly<Record<string, unknown>>[]
}

/** A build lives as long as somebody waits for it: its deadline is put off again and again, and this is how far. */
export const LEASE_SECONDS = 90

/**
 * One pod, of a Job, because a Job has a deadline that can be put off and goes by itself when it is over: whatever becomes of
 * regctl, nothing of a build is left. The build reads its context from stdin, so it needs no volume and no second image.
 */
export function buildJob(pod: BuildPod): KubeObject {
  const { name, namespace } = pod
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace, labels: labelsOf(pod) },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: LEASE_SECONDS,
      ttlSecondsAfterFinished: 30,
      template: { metadata: podMetadata(pod), spec: podSpec(pod) },
    },
  }
}

/** The same pod by itself: what admission says of it, a dry run tells at once. */
export function buildPodAlone(pod: BuildPod): KubeObject {
  const metadata = { name: pod.name, namespace: pod.namespace, ...podMetadata(pod) }
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec(pod) }
}

const labelsOf = ({ name, labels }: BuildPod) => ({
  ...labels,
  'app.kubernetes.io/managed-by': 'regctl',
  [BUILD_LABEL]: name,
})

const podMetadata = (pod: BuildPod) => ({
  labels: labelsOf(pod),
  annotations: {
    // A classic sidecar starts beside the build, which asks the registry at once.
    'proxy.istio.io/config': JSON.stringify({ holdApplicationUntilProxyStarts: true }),
    ...pod.annotations,
  },
})

const podSpec = ({ serviceAccount, container, volumes }: BuildPod) => ({
  serviceAccountName: serviceAccount,
  // The steps of a Dockerfile have no business with the API server.
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  restartPolicy: 'Never',
  terminationGracePeriodSeconds: 2,
  containers: [{ name: BUILD_CONTAINER, stdin: true, stdinOnce: true, ...container }],
  ...(volumes.length === 0 ? {} : { volumes }),
})
