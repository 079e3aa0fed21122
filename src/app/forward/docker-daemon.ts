import type { EngineName } from '../../domain/forward/container.ts'
import { type DockerHost, dockerAdvice, dockerHost, type Probe, probeResult } from '../../domain/forward/docker-host.ts'
import type { Programs } from '../../ports/forward.ts'

const TIMEOUT = 10_000

type Found = { readonly host: DockerHost; readonly endpoint: string }

/** Where the engine's containers run; undefined where there is no such program. */
export async function engineHost(
  programs: Programs,
  name: EngineName,
): Promise<Found | { readonly down: string } | undefined> {
  const version = await programs.run([name, 'version', '--format', '{{json .}}'], { timeoutMs: TIMEOUT })
  if (version === undefined) return undefined
  if (version.exitCode !== 0) return { down: version.stderr.trim().split('\n').at(-1) ?? '' }
  const endpoint = await endpointOf(programs, name)
  const host = hostOf(version.stdout, endpoint)
  if (host !== undefined) return { host, endpoint }
  // podman has no server where it starts containers itself.
  return name === 'podman' ? { host: { kind: 'local' }, endpoint } : { down: 'no daemon answers' }
}

/** DOCKER_HOST counts before the context, as for docker itself. */
async function endpointOf(programs: Programs, name: EngineName): Promise<string> {
  if (name === 'podman') return process.env.CONTAINER_HOST ?? ''
  const argv = [name, 'context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']
  const context = await programs.run(argv, { timeoutMs: TIMEOUT })
  return process.env.DOCKER_HOST ?? context?.stdout.trim() ?? ''
}

/** What to tell of the Docker daemon, where it cannot use the forward; nothing where there is none. */
export async function adviceOnDocker(
  programs: Programs,
  port: number,
): Promise<{ readonly why: string; readonly fix: string } | undefined> {
  const found = await engineHost(programs, 'docker')
  if (found === undefined || 'down' in found) return undefined
  return dockerAdvice(found.host, await probe(programs, found.endpoint, port), port)
}

function hostOf(version: string, endpoint: string): DockerHost | undefined {
  try {
    return dockerHost(JSON.parse(version) as Parameters<typeof dockerHost>[0], endpoint, process.platform)
  } catch {
    return undefined
  }
}

/** Has the daemon ask the registry for an image that nobody has. */
async function probe(programs: Programs, endpoint: string, port: number): Promise<Probe> {
  const socket = /^unix:\/\/(.+)$/.exec(endpoint)?.[1]
  if (socket === undefined) return 'unknown'
  const answer = await programs.askSocket(socket, `/distribution/localhost:${port}/regctl-probe/json`)
  return answer === undefined ? 'unknown' : probeResult(answer.status, answer.body)
}
