import {
  type Engine,
  type EngineName,
  ourContainersArgs,
  ownersArgs,
  removeContainersArgs,
} from '../../domain/forward/container.ts'
import { preconditionError, type RegctlError } from '../../errors.ts'
import type { ForwardPorts } from '../../ports/forward.ts'
import { engineHost } from './docker-daemon.ts'

const PULL_LIMIT = 600_000
const MESH = 'regctl dev-forward --mode mesh'

/**
 * docker, else podman: the first whose containers can have this machine's own network.
 * @throws precondition errors NO_ENGINE, ENGINE_DOWN and ENGINE_APART
 */
export async function findEngine({ programs }: Pick<ForwardPorts, 'programs'>): Promise<Engine> {
  const failures: RegctlError[] = []
  for (const name of ['docker', 'podman'] as const) {
    const found = await tryEngine(programs, name)
    if ('rootless' in found) return found
    failures.push(found)
  }
  throw failures.find(({ code }) => code !== 'NO_ENGINE') ?? noEngine()
}

async function tryEngine(programs: ForwardPorts['programs'], name: EngineName): Promise<Engine | RegctlError> {
  const found = await engineHost(programs, name)
  if (found === undefined) return noEngine()
  if ('down' in found) return down(name, found.down)
  if (found.host.kind !== 'local') {
    const place = found.host.kind === 'vm' ? `in ${found.host.product}` : `on ${found.host.host}`
    return apart(name, `runs ${place}, whose localhost is not this machine's`)
  }
  const rootless = await isRootless(programs, name)
  if (name === 'docker' && rootless) return apart(name, 'is rootless and has a network of its own')
  return { name, rootless }
}

async function isRootless(programs: ForwardPorts['programs'], name: EngineName): Promise<boolean> {
  const format = name === 'docker' ? '{{json .SecurityOptions}}' : '{{.Host.Security.Rootless}}'
  const told = await programs.run([name, 'info', '--format', format])
  return /rootless|true/.test(told?.stdout ?? '')
}

const noEngine = (): RegctlError =>
  preconditionError('NO_ENGINE', 'proxy mode runs a container, and there is neither docker nor podman on the PATH', {
    suggestions: [MESH],
  })

const down = (name: EngineName, why: string): RegctlError =>
  preconditionError('ENGINE_DOWN', `proxy mode runs a container, and "${name}" does not answer: ${why}`, {
    suggestions: [`${name} info`, MESH],
  })

const apart = (name: EngineName, why: string): RegctlError =>
  preconditionError('ENGINE_APART', `proxy mode cannot use the "${name}" of this machine: it ${why}`, {
    suggestions: [MESH],
  })

/** @throws precondition error NO_IMAGE */
export async function obtainImage(
  { programs, report, signal }: Pick<ForwardPorts, 'programs' | 'report' | 'signal'>,
  { name }: Engine,
  image: string,
): Promise<void> {
  const there = await programs.run([name, 'image', 'inspect', '--format', '{{.Id}}', image])
  if (there?.exitCode === 0) return
  await report.step(`Pull ${image}`, async () => {
    const pulled = await programs.run([name, 'pull', '--quiet', image], { timeoutMs: PULL_LIMIT, signal })
    if (pulled?.exitCode === 0) return
    signal.throwIfAborted()
    const why = pulled?.stderr.trim().split('\n').at(-1) ?? 'no answer'
    throw preconditionError('NO_IMAGE', `the proxy's image "${image}" is not here and cannot be pulled: ${why}`, {
      suggestions: ['regctl dev-forward --mode proxy --proxy-image IMAGE', MESH],
    })
  })
}

/** What a regctl left that was killed with all that would have cleared up. */
export async function sweepContainers(
  { programs, containers }: Pick<ForwardPorts, 'programs' | 'containers'>,
  { name }: Engine,
): Promise<void> {
  const ids = lines((await programs.run([name, ...ourContainersArgs]))?.stdout)
  if (ids.length === 0) return
  const owners = lines((await programs.run([name, ...ownersArgs(ids)]))?.stdout).map((line) => line.split(' '))
  const gone = await Promise.all(owners.map(async ([, owner = '']) => containers.isGone(owner)))
  const left = owners.flatMap(([id = ''], index) => (gone[index] === true ? [id] : []))
  if (left.length > 0) await programs.run([name, ...removeContainersArgs(...left)])
}

const lines = (text = ''): readonly string[] => text.split('\n').filter((line) => line !== '')
