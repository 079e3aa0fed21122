import { CONTAINERS_DROP_IN, containersConf, isContainersConf } from '../../domain/clients/containers-conf.ts'
import { conflictError } from '../../errors.ts'
import type { Files } from '../../ports.ts'

export type DropIn = { readonly path: string; readonly changed: boolean }

/** Writes the file, or takes it away. @throws conflict error NOT_OURS where it holds what regctl did not write */
export async function setDropIn(files: Files, port: number, undo: boolean): Promise<DropIn> {
  const path = files.resolve(files.home, ...CONTAINERS_DROP_IN)
  const before = await files.read(path)
  if (before !== undefined && !isContainersConf(before))
    throw conflictError('NOT_OURS', `${path} holds what regctl did not write`, {
      suggestions: [
        undo
          ? `edit ${path} by hand`
          : `put this into another file beside it: regctl config podman --print --port ${port}`,
      ],
    })
  if (undo) {
    if (before !== undefined) await files.remove(path)
    return { path, changed: before !== undefined }
  }
  const text = containersConf(port)
  if (before === text) return { path, changed: false }
  await files.write([{ path, before, text }])
  return { path, changed: true }
}
