import { globSync, readFileSync } from 'node:fs'
import { REGISTRY } from '../attacks/kit.ts'
import { kubectlOk } from '../cluster.ts'

/** A command prefix whose localhost is the registry's own, inside its pod; on the lab alone. */
export async function onRegistry(): Promise<readonly string[]> {
  const template = '{.items[0].status.containerStatuses[?(@.name=="registry")].containerID}'
  const argv = ['get', 'pods', '-n', REGISTRY, '-l', `app=${REGISTRY}`, '-o', `jsonpath=${template}`]
  const id = (await kubectlOk(argv)).replace(/^.*\/\//, '')
  const [file] = globSync(`/var/lib/regctl-lab/node*/**/${id}/init.pid`)
  if (file === undefined) throw new Error(`no process of container ${id} on this machine`)
  return ['nsenter', `--net=/proc/${readFileSync(file, 'utf8').trim()}/ns/net`, '--']
}
