import { usageError } from '../../errors.ts'

const READERS = ['podman', 'buildah', 'skopeo']

/** @throws usage error NO_FILE for a client that reads none, or need not */
export function readerOf(client: string): string {
  if (READERS.includes(client)) return client
  throw usageError('NO_FILE', `there is no file for "${client}": only ${READERS.join(', ')} need one`, {
    suggestions: ['regctl env, which says what each client needs'],
  })
}

/** The drop-in of podman, buildah and skopeo (containers-registries.conf.d(5)): they take no registry as plain HTTP by itself. */
export const CONTAINERS_DROP_IN = ['.config', 'containers', 'registries.conf.d', '50-regctl.conf'] as const

export const containersConf = (
  port: number,
): string => `# Written by regctl config podman; regctl config podman --undo takes it away.
[[registry]]
location = "localhost:${port}"
insecure = true
`

/** Is this a file as regctl writes it, for whatever port? */
export const isContainersConf = (text: string): boolean => {
  const port = /^location = "localhost:(\d+)"$/m.exec(text)?.[1]
  return port !== undefined && text === containersConf(Number(port))
}
