import { chmod } from 'node:fs/promises'
import { execa } from 'execa'
import { labInfo } from '../lab/lab.ts'

const REGISTRY = 'kube-registry'
const CLAIM = 'registry-data'

/**
 * Has the lab's registry keep its images in memory for a while. The registry syncs each upload to the disk before it answers,
 * which takes a third of a push here on whichever way it comes, and is no way's doing.
 */
export async function volumeInMemory(): Promise<AsyncDisposable | undefined> {
  if ((await labInfo()) === undefined) {
    process.stderr.write("the registry's disk is measured along: it is put in memory on the lab only\n")
    return undefined
  }
  const path = await volumePath()
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=4g', 'regctl-bench', path])
  try {
    await chmod(path, 0o777)
    await newPod()
  } catch (error) {
    await execa('umount', ['--lazy', path])
    throw error
  }
  return {
    async [Symbol.asyncDispose]() {
      // Lazily, for a pod has it still; the next one finds the disk.
      await execa('umount', ['--lazy', path])
      await newPod()
    },
  }
}

async function volumePath(): Promise<string> {
  const of = async (...args: readonly string[]) => (await execa('kubectl', ['get', ...args])).stdout
  const volume = await of('pvc', '-n', REGISTRY, CLAIM, '-o', 'jsonpath={.spec.volumeName}')
  const path = await of('pv', volume, '-o', 'jsonpath={.spec.hostPath.path}{.spec.local.path}')
  if (path === '') throw new Error(`volume ${volume} has no directory`)
  return path
}

/** A volume is mounted when a pod starts. */
async function newPod(): Promise<void> {
  await execa('kubectl', ['delete', 'pods', '-n', REGISTRY, '-l', `app=${REGISTRY}`])
  await execa('kubectl', ['rollout', 'status', '-n', REGISTRY, `deployment/${REGISTRY}`, '--timeout=120s'])
}
