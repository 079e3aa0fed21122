import { cached } from '../cache.ts'
import { envoyRecipe } from '../envoy.ts'
import { buildGo, goSets, moduleDirectory } from '../go-build.ts'
import type { ImageConfig } from './archive.ts'
import type { Rootfs } from './rootfs.ts'

export interface ImageRecipe {
  readonly reference: string
  readonly config: ImageConfig
  /** Do files of it carry capabilities? */
  readonly capabilities?: boolean
  readonly fill: (rootfs: Rootfs) => Promise<void>
}

const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const istioModule = 'istio.io/istio'

export const imageRecipes: Readonly<Record<string, ImageRecipe>> = {
  pause: {
    reference: 'docker.io/lab/pause:dev',
    config: { Entrypoint: ['/bin/busybox', 'sleep', '2147483647'], User: '65535:65535' },
    fill: async (rootfs) => rootfs.copy('/bin/busybox'),
  },
  coredns: {
    reference: 'docker.io/lab/coredns:dev',
    config: { Entrypoint: ['/coredns'] },
    fill: async (rootfs) => rootfs.copy(`${await buildGo(goSets.coredns)}/coredns`, '/coredns'),
  },
  pilot: {
    reference: 'docker.io/lab/pilot:dev',
    config: { Entrypoint: ['/usr/local/bin/pilot-discovery'], Env: [path], User: '1337:1337' },
    fill: async (rootfs) => {
      await rootfs.base()
      await rootfs.busybox()
      await rootfs.copy(`${await buildGo(goSets.istio)}/pilot-discovery`, '/usr/local/bin/pilot-discovery')
    },
  },
  proxyv2: {
    reference: 'docker.io/lab/proxyv2:dev',
    config: {
      Entrypoint: ['/usr/local/bin/pilot-agent'],
      Env: [path, 'ISTIO_META_ISTIO_PROXY_SHA=envoy:1.40.0'],
      WorkingDir: '/',
    },
    fill: async (rootfs) => {
      const istio = await moduleDirectory(goSets.istio, istioModule)
      await rootfs.base()
      await rootfs.busybox()
      await rootfs.iptables()
      await rootfs.program(`${(await cached(await envoyRecipe())).directory}/envoy`, '/usr/local/bin/envoy')
      await rootfs.copy(`${await buildGo(goSets.istio)}/pilot-agent`, '/usr/local/bin/pilot-agent')
      await rootfs.copy(
        `${istio}/tools/packaging/common/envoy_bootstrap.json`,
        '/var/lib/istio/envoy/envoy_bootstrap_tmpl.json',
      )
    },
  },
  registry: {
    reference: 'docker.io/lab/registry:3',
    config: {
      Entrypoint: ['registry'],
      Cmd: ['serve', '/etc/distribution/config.yml'],
      // As upstream: registry 3 otherwise sends traces to a collector that is not there.
      Env: [path, 'OTEL_TRACES_EXPORTER=none'],
    },
    fill: async (rootfs) => {
      await rootfs.base()
      await rootfs.busybox()
      await rootfs.copy(`${await buildGo(goSets.oci)}/registry`, '/usr/bin/registry')
      await rootfs.directory('/var/lib/registry')
      await rootfs.text(
        '/etc/distribution/config.yml',
        'version: 0.1\nstorage:\n  filesystem: {rootdirectory: /var/lib/registry}\n  delete: {enabled: true}\nhttp:\n  addr: :5000\n',
      )
    },
  },
  kaniko: {
    reference: 'docker.io/lab/kaniko:dev',
    config: {
      Entrypoint: ['/kaniko/executor'],
      Env: [
        'HOME=/root',
        'USER=root',
        'PATH=/usr/local/bin:/kaniko',
        'SSL_CERT_DIR=/kaniko/ssl/certs',
        'DOCKER_CONFIG=/kaniko/.docker/',
      ],
      WorkingDir: '/workspace',
    },
    // As upstream's: nothing but its own files. Kaniko unpacks and builds over its own root, where a merged /usr would
    // move what a Dockerfile copies to /bin.
    fill: async (rootfs) => {
      await rootfs.directory('/kaniko', 0o777)
      await rootfs.directory('/kaniko/.docker')
      await rootfs.directory('/workspace')
      await rootfs.text('/etc/nsswitch.conf', 'hosts: files dns\n')
      await rootfs.copy('/etc/ssl/certs/ca-certificates.crt', '/kaniko/ssl/certs/ca-certificates.crt')
      await rootfs.copy(`${await buildGo(goSets.kaniko)}/executor`, '/kaniko/executor')
    },
  },
  toolbox: {
    reference: 'docker.io/lab/toolbox:dev',
    config: { Entrypoint: ['sleep', '2147483647'], Env: [path] },
    fill: async (rootfs) => {
      await rootfs.base()
      await rootfs.busybox()
      await rootfs.copy(`${await buildGo(goSets.oci)}/crane`, '/usr/local/bin/crane')
      await rootfs.program('/usr/bin/curl', '/usr/local/bin/curl')
    },
  },
}
