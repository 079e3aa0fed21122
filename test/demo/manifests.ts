import type { Images } from './cluster.ts'

/** Marks what the demo made, so that it never deletes what it did not make. */
export const MARK = 'regctl.dev/demo'

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { [MARK]: 'true', ...labels } },
})

export type PodOptions = {
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: Readonly<Record<string, unknown>>
}

/** A pod to type commands in. */
export const shell = (
  home: string,
  name: string,
  image: string,
  { labels = {}, spec = {} }: PodOptions = {},
): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: home, name, labels },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'shell', image, imagePullPolicy: 'IfNotPresent', command: ['sleep', '3600'] }],
    ...spec,
  },
})

/** A pod that runs the pushed image on one node; the kubelet asks the registry each time. */
export const pull = (home: string, name: string, nodeName: string, image: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: home, name, labels: { 'sidecar.istio.io/inject': 'false' } },
  spec: {
    nodeName,
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'app', image, imagePullPolicy: 'Always' }],
  },
})

const DOCKERFILE = `FROM scratch
COPY busybox /busybox
COPY hello /hello
ENTRYPOINT ["/busybox", "cat", "/hello"]
`

/** A Kaniko build: its context comes from a ConfigMap, its digest goes to the termination log. */
export function build(
  home: string,
  name: string,
  destination: string,
  hello: string,
  images: Images,
): readonly object[] {
  const metadata = { namespace: home, name }
  const work = { name: 'work', mountPath: '/workspace' }
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { Dockerfile: DOCKERFILE, hello } },
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata,
      spec: {
        backoffLimit: 0,
        template: {
          // Istio before native sidecars by default would keep the Job running for ever.
          metadata: { annotations: { 'sidecar.istio.io/nativeSidecar': 'true' } },
          spec: {
            restartPolicy: 'Never',
            initContainers: [
              {
                name: 'context',
                image: images.busybox,
                imagePullPolicy: 'IfNotPresent',
                command: ['sh', '-c', 'cp -L /context/* /workspace/ && cp /bin/busybox /workspace/busybox'],
                volumeMounts: [{ name: 'context', mountPath: '/context' }, work],
              },
            ],
            containers: [
              {
                name: 'kaniko',
                image: images.kaniko,
                imagePullPolicy: 'IfNotPresent',
                args: [
                  '--context=dir:///workspace',
                  '--dockerfile=Dockerfile',
                  `--destination=${destination}`,
                  '--digest-file=/dev/termination-log',
                ],
                volumeMounts: [work],
              },
            ],
            volumes: [
              { name: 'context', configMap: { name } },
              { name: 'work', emptyDir: {} },
            ],
          },
        },
      },
    },
  ]
}
