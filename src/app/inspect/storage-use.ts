import type { V1PersistentVolumeClaim, V1Pod } from '@kubernetes/client-node'
import type { Installation } from '../../domain/installation.ts'
import type { Settings } from '../../domain/settings.ts'
import type { Ports } from '../../ports.ts'
import type { Problems } from './problems.ts'

export type StorageUse = {
  readonly kind: Settings['storage']
  readonly size?: string
  readonly phase?: string
  /** Bytes of image data, where the registry's image has `du`. */
  readonly usedBytes?: number
  /** How full the filesystem is that they lie on, where the registry's image has `df`. */
  readonly fullPercent?: number
}

/** Before the last push fails for want of room, there is time to do something. */
const NEARLY_FULL = 95

const DATA = '/var/lib/registry'

export async function storageUse(
  ports: Ports,
  at: Installation,
  settings: Settings,
  pod: V1Pod | undefined,
  problems: Problems,
): Promise<StorageUse> {
  const [used, full] =
    pod === undefined ? [] : await Promise.all([usedBytes(ports, at, pod), fullPercent(ports, at, pod)])
  if (full !== undefined && full >= NEARLY_FULL)
    problems.say(
      `the volume of the registry is ${full} % full: without room nobody can push, pulls go on`,
      settings.storage === 'pvc'
        ? `regctl up --size SIZE, more than ${settings.size}, where the storage class lets volumes grow`
        : `make room on the disk of node ${pod?.spec?.nodeName}`,
    )
  const base = {
    kind: settings.storage,
    ...(used === undefined ? {} : { usedBytes: used }),
    ...(full === undefined ? {} : { fullPercent: full }),
  }
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
  const blocks = /^\d+/.exec(await printed(ports, at, pod, ['du', '-sk', DATA]))?.[0]
  return blocks === undefined ? undefined : Number(blocks) * 1024
}

/** Of what may be used: some filesystems keep a part for root. */
async function fullPercent(ports: Ports, at: Installation, pod: V1Pod): Promise<number | undefined> {
  const percent = /\s(\d+)%\s\S+\s*$/.exec(await printed(ports, at, pod, ['df', '-Pk', DATA]))?.[1]
  return percent === undefined ? undefined : Number(percent)
}

/** Nothing where the image has no such program. */
async function printed(ports: Ports, at: Installation, pod: V1Pod, argv: readonly string[]): Promise<string> {
  try {
    const name = pod.metadata?.name ?? ''
    const { stdout, exitCode } = await ports.pods.exec(at.namespace, name, 'registry', argv, ports.signal)
    return exitCode === 0 ? stdout : ''
  } catch {
    return ''
  }
}
