import { type DockerHost, dockerAdvice, dockerHost, type Probe, probeResult } from '../../domain/forward/docker-host.ts'
import type { Programs } from '../../ports.ts'

const VERSION = ['docker', 'version', '--format', '{{json .}}']
/** DOCKER_HOST counts before the context, as for docker itself. */
const ENDPOINT = ['docker', 'context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']
const TIMEOUT = 10_000

/** What to tell of the Docker daemon, where it cannot use the forward; nothing where there is none. */
export async function adviceOnDocker(
  programs: Programs,
  port: number,
): Promise<{ readonly why: string; readonly fix: string } | undefined> {
  const [version, context] = await Promise.all([
    programs.run(VERSION, { timeoutMs: TIMEOUT }),
    programs.run(ENDPOINT, { timeoutMs: TIMEOUT }),
  ])
  if (version === undefined || version.exitCode !== 0) return undefined
  const endpoint = process.env.DOCKER_HOST ?? context?.stdout.trim() ?? ''
  const host = hostOf(version.stdout, endpoint)
  if (host === undefined) return undefined
  return dockerAdvice(host, await probe(programs, endpoint, port), port)
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
  const answer = await programs.engine(socket, `/distribution/localhost:${port}/regctl-probe/json`)
  return answer === undefined ? 'unknown' : probeResult(answer.status, answer.body)
}
