import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Run, type RunOptions, regctlOk, run } from '../cluster.ts'

/** A project that every client can build, for images that run. */
export type Project = AsyncDisposable & {
  readonly directory: string
  /** Its Dockerfile is `FROM scratch` with a static busybox. */
  readonly context: string
  /** A Go program, for ko. */
  readonly program: string
  /** The files of the image as a layer, for crane. */
  readonly layer: string
}

/** The same with a step that runs a program: of builders that can do that in a pod. */
export const RUN_DOCKERFILE = 'run.Dockerfile'

const ENTRYPOINT = ['/busybox', 'sh', '-c', 'trap exit TERM; while :; do /busybox sleep 1; done']

export async function project(): Promise<Project> {
  const directory = await mkdtemp(join(tmpdir(), 'regctl-clients-'))
  const context = join(directory, 'context')
  const program = join(directory, 'program')
  await mkdir(context)
  await mkdir(program)
  await copyFile('/bin/busybox', join(context, 'busybox'))
  await writeFile(
    join(context, 'Dockerfile'),
    `FROM scratch\nCOPY busybox /busybox\nENTRYPOINT ${JSON.stringify(ENTRYPOINT)}\n`,
  )
  await writeFile(
    join(context, RUN_DOCKERFILE),
    `FROM scratch\nCOPY busybox /busybox\nRUN ["/busybox", "touch", "/made"]\nENTRYPOINT ${JSON.stringify(ENTRYPOINT)}\n`,
  )
  await writeFile(join(program, 'go.mod'), 'module example.com/hello\n\ngo 1.22\n')
  await writeFile(join(program, 'main.go'), 'package main\n\nimport "time"\n\nfunc main() { time.Sleep(time.Hour) }\n')
  const layer = join(directory, 'layer.tar')
  await succeed(['tar', '-C', context, '-cf', layer, 'busybox'])
  return {
    directory,
    context,
    program,
    layer,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true, maxRetries: 5 }),
  }
}

export async function succeed(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  return output(argv, await run(argv, options))
}

export function output(argv: readonly string[], { stdout, stderr, exitCode }: Run): string {
  if (exitCode !== 0) throw new Error(`${argv.join(' ')}: exit code ${exitCode}\n${stderr}\n${stdout}`)
  return stdout
}

/** As a user has it: what `regctl env` prints, evaluated by a shell in front of the command. */
export async function withEnvironment(repository: string, script: string, options: RunOptions = {}): Promise<string> {
  const environment = await regctlOk(['env', '--repository', repository])
  return succeed(['sh', '-ec', `eval "$0"\n${script}`, environment], options)
}

export const digestOf = async (image: string): Promise<string> => (await succeed(['crane', 'digest', image])).trim()

/** The script by which crane makes an image of the layer. */
export const craneScript = (layer: string, image: string): string =>
  `crane append --oci-empty-base --platform linux/amd64 -f ${layer} -t ${image} >/dev/null
crane mutate --set-platform linux/amd64 --entrypoint '${ENTRYPOINT.map((part) => part.replaceAll(',', ' ')).join(',')}' -t ${image} ${image}`
