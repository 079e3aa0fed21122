import { expect, test } from 'vitest'
import { type DockerHost, dockerAdvice, dockerHost, probeResult } from '../../../src/domain/forward/docker-host.ts'

type Version = Parameters<typeof dockerHost>[0]
/** With what is printed besides. */
const printed = (version: object): Version => version

/** As `docker version --format '{{json .}}'` prints it, for what users of each product have posted. */
const engine = (Name: string, client: string, Context: string, Arch = 'arm64'): Version =>
  printed({
    Client: { Version: '27.1.1', ApiVersion: '1.46', Os: client, Arch, Context },
    Server: {
      Platform: { Name },
      Components: [
        { Name: 'Engine', Version: '27.1.1', Details: { Arch, Os: 'linux' } },
        { Name: 'containerd', Version: '1.7.19' },
        { Name: 'runc', Version: '1.7.19' },
      ],
      Version: '27.1.1',
      Os: 'linux',
      Arch,
    },
  })

/** podman-py issue 595. */
const podman: Version = {
  Client: { Os: 'darwin', Context: 'default' },
  Server: {
    Platform: { Name: 'linux/arm64/fedora-41' },
    Components: [{ Name: 'Podman Engine' }, { Name: 'Conmon' }, { Name: 'OCI Runtime (crun)' }],
    Os: 'linux',
  },
}

const vm = (product: Extract<DockerHost, { kind: 'vm' }>['product']): DockerHost => ({ kind: 'vm', product })
const COMMUNITY = 'Docker Engine - Community'

test.each<[string, Version, string, string, DockerHost]>([
  // docker/for-mac issue 7402
  [
    'Docker Desktop on macOS',
    engine('Docker Desktop 4.33.0 (160616)', 'darwin', 'desktop-linux'),
    'unix:///Users/u/.docker/run/docker.sock',
    'darwin',
    vm('Docker Desktop'),
  ],
  // docker/cli issue 4672
  [
    'Docker Desktop on Windows',
    engine('Docker Desktop 4.25.2 (129061)', 'windows', 'default', 'amd64'),
    'npipe:////./pipe/docker_engine',
    'win32',
    vm('Docker Desktop'),
  ],
  // docker/desktop-feedback issue 46
  [
    'Docker Desktop on Linux',
    engine('Docker Desktop 4.43.2 (199162)', 'linux', 'desktop-linux'),
    'unix:///home/u/.docker/desktop/docker.sock',
    'linux',
    vm('Docker Desktop'),
  ],
  [
    'colima',
    engine(COMMUNITY, 'darwin', 'colima'),
    'unix:///Users/u/.colima/default/docker.sock',
    'darwin',
    vm('colima'),
  ],
  [
    'colima with XDG',
    engine(COMMUNITY, 'darwin', 'colima'),
    'unix:///Users/u/.config/colima/default/docker.sock',
    'darwin',
    vm('colima'),
  ],
  [
    'colima on Linux',
    engine(COMMUNITY, 'linux', 'colima'),
    'unix:///home/u/.colima/default/docker.sock',
    'linux',
    vm('colima'),
  ],
  [
    'Rancher Desktop',
    engine('', 'darwin', 'rancher-desktop'),
    'unix:///Users/u/.rd/docker.sock',
    'darwin',
    vm('Rancher Desktop'),
  ],
  [
    'podman machine',
    podman,
    'unix:///Users/u/.local/share/containers/podman/machine/podman.sock',
    'darwin',
    vm('podman machine'),
  ],
  ['podman machine behind the usual path', podman, 'unix:///var/run/docker.sock', 'darwin', vm('podman machine')],
  [
    'podman on Linux itself',
    { ...podman, Client: { Os: 'linux' } },
    'unix:///run/user/1000/podman/podman.sock',
    'linux',
    { kind: 'local' },
  ],
  [
    'OrbStack',
    engine(COMMUNITY, 'darwin', 'orbstack'),
    'unix:///Users/u/.orbstack/run/docker.sock',
    'darwin',
    vm('OrbStack'),
  ],
  [
    'another machine on macOS',
    engine(COMMUNITY, 'darwin', 'default'),
    'unix:///var/run/docker.sock',
    'darwin',
    vm('a virtual machine'),
  ],
  [
    'dockerd on Linux',
    engine(COMMUNITY, 'linux', 'default'),
    'unix:///var/run/docker.sock',
    'linux',
    { kind: 'local' },
  ],
  [
    'rootless dockerd',
    engine(COMMUNITY, 'linux', 'rootless'),
    'unix:///run/user/1000/docker.sock',
    'linux',
    { kind: 'local' },
  ],
  [
    'dockerd over TCP on this machine',
    engine(COMMUNITY, 'linux', 'default'),
    'tcp://127.0.0.1:2375',
    'linux',
    { kind: 'local' },
  ],
  [
    "minikube's",
    engine(COMMUNITY, 'linux', 'default'),
    'tcp://192.168.49.2:2376',
    'linux',
    { kind: 'remote', host: '192.168.49.2' },
  ],
  [
    'over ssh',
    engine(COMMUNITY, 'linux', 'far'),
    'ssh://me@build.example:22',
    'linux',
    { kind: 'remote', host: 'build.example' },
  ],
])('%s', (_, version, endpoint, platform, expected) => {
  expect(dockerHost(version, endpoint, platform)).toEqual(expected)
})

test('no daemon answers', () => {
  expect(dockerHost({ Client: { Os: 'linux' }, Server: null }, 'unix:///var/run/docker.sock', 'linux')).toBeUndefined()
})

test.each([
  [404, '{"message":"manifest unknown: manifest unknown"}', 'reached'],
  [404, '{"message":"errors:\\nname unknown: repository name not known to registry\\n"}', 'reached'],
  [200, '{"Descriptor":{}}', 'reached'],
  // colima issue 318
  [
    500,
    '{"message":"Get \\"http://localhost:5000/v2/\\": dial tcp [::1]:5000: connect: connection refused"}',
    'refused',
  ],
  [500, '{"message":"Get \\"http://localhost:5000/v2/\\": EOF"}', 'refused'],
  [404, '{"message":"page not found"}', 'unknown'],
])('a probe that gets %i %s', (status, body, expected) => {
  expect(probeResult(status, body)).toBe(expected)
})

test('advice: none where the daemon reaches it, a bridge for a virtual machine, the place for a remote one', () => {
  expect(dockerAdvice(vm('colima'), 'reached', 5000)).toBeUndefined()
  expect(dockerAdvice({ kind: 'local' }, 'unknown', 5000)).toBeUndefined()
  expect(dockerAdvice({ kind: 'local' }, 'refused', 5000)?.why).toContain('rootless')
  const bridge = dockerAdvice(vm('colima'), 'refused', 5000)
  expect(bridge?.why).toBe('the Docker daemon runs in colima and does not reach localhost:5000 of this machine')
  expect(bridge?.fix).toMatch(
    /^regctl dev-forward --port 5001 --detach && docker run .*TCP-LISTEN:5000,.*host\.lima\.internal:5001$/,
  )
  expect(dockerAdvice({ kind: 'remote', host: 'far' }, 'unknown', 5000)?.fix).toBe('run regctl dev-forward on far')
})
