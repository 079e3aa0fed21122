import type { V1PersistentVolumeClaim, V1Pod } from '@kubernetes/client-node'
import type { Installation } from '../../domain/installation.ts'
import type { Settings } from '../../domain/settings.ts'
import type { Ports } from '../../ports.ts'

export type StorageUse = {
  readonly kind: Settings['storage']
  readonly size?: string
  readonly phase?: string
  /** Bytes of image data, where the registry's image has `du`. */
  readonly usedBytes?: number
}

export async function storageUse(
  ports: Ports,
  at: Installation,
  settings: Settings,
  pod: V1Pod | undefined,
): Promise<StorageUse> {
  const used = pod === undefined ? undefined : await usedBytes(ports, at, pod)
  const base = { kind: settings.storage, ...(used === undefined ? {} : { usedBytes: used }) }
  if (settings.storage === 'emptydir') return base
  const found = await ports.kube.get({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    namespace: at.namespace,
    name: 'registry-data',
  })
  const claim = found as unknown as V1PersistentVolumeClaim | undefined
  return {
    ...base,
    size: claim?.status?.capacity?.storage ?? settings.size,
    phase: claim?.status?.phase ?? 'missing',
  }
}

async function usedBytes(ports: Ports, at: Installation, pod: V1Pod): Promise<number | undefined> {
  try {
    const { stdout, exitCode } = await ports.pods.exec(
      at.namespace,
      pod.metadata?.name ?? '',
      'registry',
      ['du', '-sk', '/var/lib/registry'],
      ports.signal,
    )
    const blocks = /^\d+/.exec(stdout)?.[0]
    return exitCode === 0 && blocks !== undefined ? Number(blocks) * 1024 : undefined
  } catch {
    return undefined
  }
}
