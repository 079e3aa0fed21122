import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kubectlOk } from '../cluster.ts'

/** A kubeconfig of somebody else's, who works in that namespace. */
export async function kubeconfigOf(directory: string, user: string, namespace: string): Promise<string> {
  const config = JSON.parse(await kubectlOk(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json']))
  const [context] = config.contexts
  const [self] = config.users
  const file = join(directory, `${user}.json`)
  const theirs = {
    ...config,
    users: [{ ...self, user: { ...self.user, as: user } }],
    contexts: [{ ...context, context: { ...context.context, namespace } }],
  }
  await writeFile(file, JSON.stringify(theirs), { mode: 0o600 })
  return file
}
