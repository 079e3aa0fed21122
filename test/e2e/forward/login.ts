import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { apply } from '../attacks/kit.ts'
import { kubectlOk } from '../cluster.ts'

/**
 * People who log in: a token for each login, good until they log out. It is of a service account that may say who somebody
 * is, so the kubeconfig says `as` beside it.
 */
export class Logins {
  readonly #namespace: string
  readonly #directory: string

  static async open(namespace: string, directory: string): Promise<Logins> {
    const name = `${namespace}-login`
    const rbac = 'rbac.authorization.k8s.io'
    await apply(
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name: 'login' } },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'ClusterRole',
        metadata: { name },
        rules: [{ apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] }],
      },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name },
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
        subjects: [{ kind: 'ServiceAccount', namespace, name: 'login' }],
      },
    )
    return new Logins(namespace, directory)
  }

  private constructor(namespace: string, directory: string) {
    this.#namespace = namespace
    this.#directory = directory
  }

  async in(session: string): Promise<string> {
    const namespace = this.#namespace
    await apply({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name: session } })
    const bound = ['--bound-object-kind', 'Secret', '--bound-object-name', session]
    return (await kubectlOk(['create', 'token', 'login', '-n', namespace, ...bound])).trim()
  }

  async out(session: string): Promise<void> {
    await kubectlOk(['delete', 'secret', '-n', this.#namespace, session])
  }

  /** A credential plugin, as kubeconfigs name them, that gives what was told it last. */
  async plugin(name: string): Promise<{ readonly exec: object; readonly tell: (token: string) => Promise<void> }> {
    const [program, file] = [join(this.#directory, `${name}.sh`), join(this.#directory, `${name}.token`)]
    const apiVersion = 'client.authentication.k8s.io/v1'
    const answer = `{"apiVersion":"${apiVersion}","kind":"ExecCredential","status":{"token":"%s"}}`
    await writeFile(program, `#!/bin/sh\nprintf '${answer}' "$(cat '${file}')"\n`)
    await chmod(program, 0o755)
    return {
      exec: { apiVersion, command: program, interactiveMode: 'Never' },
      tell: (token) => writeFile(file, token, { mode: 0o600 }),
    }
  }

  async close(): Promise<void> {
    await kubectlOk(['delete', 'clusterrole,clusterrolebinding', `${this.#namespace}-login`, '--ignore-not-found'])
  }
}
