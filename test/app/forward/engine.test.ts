import { expect, test } from 'vitest'
import { findEngine, sweepContainers } from '../../../src/app/forward/engine.ts'
import type { Programs } from '../../../src/ports/forward.ts'
import type { ExecResult } from '../../../src/ports.ts'
import { failure } from '../failure.ts'

const told = (stdout: string): ExecResult => ({ stdout, stderr: '', exitCode: 0 })
const failed = (stderr: string): ExecResult => ({ stdout: '', stderr, exitCode: 125 })

/** Programs by the beginning of their command line; others are not there. */
function scripted(answers: Readonly<Record<string, ExecResult>>) {
  const asked: string[] = []
  const programs: Programs = {
    run: async (argv) => {
      const line = argv.join(' ')
      asked.push(line)
      return Object.entries(answers).find(([start]) => line.startsWith(start))?.[1]
    },
    attach: () => Promise.reject(new Error('not scripted')),
    askSocket: async () => undefined,
  }
  return { programs, asked }
}

const DOCKER = told('{"Client":{"Os":"linux"},"Server":{"Os":"linux","Components":[{"Name":"Engine"}]}}')
const PODMAN = told('{"Client":{"APIVersion":"5.4.2","Version":"5.4.2","Os":"linux","OsArch":"linux/amd64"}}')
const DESKTOP = told('{"Client":{"Os":"linux"},"Server":{"Os":"linux","Platform":{"Name":"Docker Desktop 4.60.0"}}}')

test.each([
  [
    'docker as root',
    { 'docker version': DOCKER, 'docker info': told('["name=seccomp,profile=default","name=cgroupns"]') },
    { name: 'docker', rootless: false },
  ],
  [
    'podman without root, where there is no docker',
    { 'podman version': PODMAN, 'podman info': told('true') },
    { name: 'podman', rootless: true },
  ],
  [
    'podman as root, where docker is in a virtual machine',
    { 'docker version': DESKTOP, 'podman version': PODMAN, 'podman info': told('false') },
    { name: 'podman', rootless: false },
  ],
] as const)('%s', async (_name, answers, engine) => {
  expect(await findEngine(scripted(answers))).toEqual(engine)
})

test.each([
  [{}, 'NO_ENGINE', 'neither docker nor podman'],
  [{ 'docker version': DESKTOP }, 'ENGINE_APART', '"docker" of this machine: it runs in Docker Desktop'],
  [
    { 'docker version': DOCKER, 'docker context': told('tcp://192.0.2.5:2375\n') },
    'ENGINE_APART',
    'it runs on 192.0.2.5',
  ],
  [
    { 'docker version': failed('Is the docker daemon running?'), 'podman version': failed('no machine') },
    'ENGINE_DOWN',
    '"docker" does not answer: Is the docker daemon running?',
  ],
] as const)('what cannot be used: %j', async (answers, code, message) => {
  const { DOCKER_HOST } = process.env
  delete process.env.DOCKER_HOST
  try {
    await expect(findEngine(scripted(answers))).rejects.toEqual(failure(code, 3, message))
  } finally {
    if (DOCKER_HOST !== undefined) process.env.DOCKER_HOST = DOCKER_HOST
  }
})

test('of the containers with our label those go whose regctl is gone', async () => {
  const { programs, asked } = scripted({
    'podman ps': told('a\nb\nc'),
    'podman inspect': told('a mine\nb gone\nc gone'),
    'podman rm': told(''),
  })
  const containers = {
    directory: () => Promise.reject(new Error('not scripted')),
    owner: async () => 'mine',
    isGone: async (owner: string) => owner === 'gone',
    run: () => {
      throw new Error('not scripted')
    },
  }
  await sweepContainers({ programs, containers }, { name: 'podman', rootless: true })
  expect(asked.at(-1)).toBe('podman rm --force b c')
})
