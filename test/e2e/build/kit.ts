import type { ChildProcessByStdio } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { expect } from 'vitest'
import { getJson } from '../clients.ts'
import { eventually, kubectlOk } from '../cluster.ts'

const BUILD_LABEL = 'regctl.dev/build'

type Named = { readonly items: readonly { readonly kind: string; readonly metadata: { readonly name: string } }[] }

/** Of builds: what a suite makes itself carries no such label. */
export async function buildsIn(namespace: string): Promise<readonly string[]> {
  const { items } = await getJson<Named>('pods,jobs', '-n', namespace, '-l', BUILD_LABEL)
  return items.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
}

export const expectNothingLeft = (namespace: string): Promise<void> =>
  eventually(async () => expect(await buildsIn(namespace)).toEqual([]), { timeout: 20_000 })

/** Resolves when the builder has begun; gives what the command has said on stderr. */
export async function running(child: ChildProcessByStdio<null, Readable, Readable>): Promise<() => string> {
  let said = ''
  // Listening on, because a closed pipe would end the command in another way.
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk
  })
  await eventually(async () => expect(said).toContain('✔ Start the build'), { every: 50 })
  return () => said
}

/** Credentials of a service account that may build there, and read nothing of the registry. */
export async function kubeconfigOf(directory: string, namespace: string, name: string): Promise<string> {
  await kubectlOk(['create', 'serviceaccount', '-n', namespace, name])
  const rule = (group: string, resources: string[], verbs: string[]) => ({ apiGroups: [group], resources, verbs })
  const rules = [
    rule('', ['pods'], ['get', 'list', 'create']),
    rule('', ['pods/attach', 'pods/log'], ['get', 'create']),
    rule('', ['events'], ['list']),
    rule('batch', ['jobs'], ['create', 'patch', 'delete']),
  ]
  const metadata = { name, namespace }
  const api = 'rbac.authorization.k8s.io/v1'
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name }
  const items = [
    { apiVersion: api, kind: 'Role', metadata, rules },
    {
      apiVersion: api,
      kind: 'RoleBinding',
      metadata,
      roleRef,
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
  ]
  await kubectlOk(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
  const token = (await kubectlOk(['create', 'token', '-n', namespace, name])).trim()
  const config = JSON.parse(await kubectlOk(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json']))
  const file = join(directory, `${name}.json`)
  const users = [{ ...config.users[0], user: { token } }]
  await writeFile(file, JSON.stringify({ ...config, users }), { mode: 0o600 })
  return file
}
