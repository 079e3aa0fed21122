// The lab's storage: a process that gives every claim of its class a directory below the state directory. Both nodes
// share the machine's file system, so a volume follows its pod to either of them.
import { chmod, mkdir, rm } from 'node:fs/promises'
import { CoreV1Api, KubeConfig, type V1PersistentVolumeClaim } from '@kubernetes/client-node'
import { inState, kubeconfig } from './paths.ts'

const storageClass = 'regctl-lab'
const provisioner = 'regctl.lab/directory'

const config = new KubeConfig()
config.loadFromFile(kubeconfig)
const core = config.makeApiClient(CoreV1Api)

const volumeName = (claim: V1PersistentVolumeClaim): string => `pvc-${claim.metadata?.uid}`

async function provision(claim: V1PersistentVolumeClaim): Promise<void> {
  const name = volumeName(claim)
  const path = inState('volumes', name)
  await mkdir(path, { recursive: true })
  // fsGroup does not apply to hostPath volumes, and claims are used by non-root pods. The umask has cut mkdir's mode.
  await chmod(path, 0o777)
  await core.createPersistentVolume({
    body: {
      metadata: { name, annotations: { 'pv.kubernetes.io/provisioned-by': provisioner } },
      spec: {
        storageClassName: storageClass,
        accessModes: claim.spec?.accessModes ?? ['ReadWriteOnce'],
        capacity: { storage: claim.spec?.resources?.requests?.storage ?? '1Gi' },
        persistentVolumeReclaimPolicy: 'Delete',
        claimRef: {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          namespace: claim.metadata?.namespace ?? '',
          name: claim.metadata?.name ?? '',
          uid: claim.metadata?.uid ?? '',
        },
        hostPath: { path, type: 'Directory' },
      },
    },
  })
}

/** Two lists a second of a small cluster: simpler than watches, and nothing is ever missed. */
async function reconcile(): Promise<void> {
  const volumes = (await core.listPersistentVolume()).items.filter(
    (volume) => volume.spec?.storageClassName === storageClass,
  )
  const known = new Set(volumes.map((volume) => volume.metadata?.name))
  for (const claim of (await core.listPersistentVolumeClaimForAllNamespaces()).items) {
    const pending =
      claim.status?.phase === 'Pending' && claim.spec?.storageClassName === storageClass && !claim.spec.volumeName
    if (pending && !known.has(volumeName(claim))) await provision(claim)
  }
  for (const volume of volumes) {
    const name = volume.metadata?.name ?? ''
    if (volume.status?.phase !== 'Released' || volume.spec?.persistentVolumeReclaimPolicy !== 'Delete') continue
    await core.deletePersistentVolume({ name })
    await rm(inState('volumes', name), { recursive: true, force: true })
  }
}

for (;;) {
  await reconcile().catch((error: unknown) => console.error(String(error)))
  await new Promise((resolve) => setTimeout(resolve, 500))
}
