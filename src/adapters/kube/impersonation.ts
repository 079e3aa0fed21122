import { type Cluster, KubeConfig, loadYaml, type RequestContext, type User } from '@kubernetes/client-node'
import { preconditionError } from '../../errors.ts'

type AuthInfo = {
  readonly as?: string
  readonly 'as-uid'?: string | number
  readonly 'as-groups'?: readonly string[]
  readonly 'as-user-extra'?: Readonly<Record<string, readonly string[]>>
}

type Headers = Readonly<Record<string, string | string[]>>

/** What is to be sent for a user beside Impersonate-User. */
const besides = new WeakMap<User, Headers>()

/**
 * Of kubectl's impersonation client-node 2.0.1 reads `as` alone, and without the groups that were asked for the caller would be
 * somebody else, with other rights.
 */
export class ImpersonatingKubeConfig extends KubeConfig {
  override loadFromString(...[text, options]: Parameters<KubeConfig['loadFromString']>): void {
    super.loadFromString(text, options)
    const { users = [] } = loadYaml<{ users?: readonly { name: string; user?: AuthInfo }[] }>(text)
    for (const { name, user } of users ?? []) {
      const headers = headersOf(user ?? {})
      const known = this.users.find((one) => one.name === name)
      if (known !== undefined && Object.keys(headers).length > 0) besides.set(known, headers)
    }
  }

  /** @throws precondition error NOBODY_IMPERSONATED where groups are given and no user, as kubectl does */
  requireSomebody(): void {
    const user = this.getCurrentUser()
    if (user === null || user.impersonateUser || this.#headers === undefined) return
    throw preconditionError(
      'NOBODY_IMPERSONATED',
      `user "${user.name}" of the kubeconfig has as-groups, as-uid or as-user-extra, but no "as"`,
      { suggestions: [`kubectl config set users.${user.name}.as USER`] },
    )
  }

  override async applyToHTTPSOptions(options: Parameters<KubeConfig['applyToHTTPSOptions']>[0]): Promise<void> {
    await super.applyToHTTPSOptions(options)
    if (this.#headers !== undefined) options.headers = { ...(options.headers as Headers), ...this.#headers }
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context)
    const headers = this.#headers
    const dispatcher = context.getDispatcher()
    if (headers === undefined || dispatcher === undefined) return
    // fetch would make one header of several, and the API server one group of that.
    const impersonating = dispatcher.compose((dispatch) => (options, handler) => {
      return dispatch({ ...options, headers: { ...(options.headers as Headers), ...headers } }, handler)
    })
    context.setDispatcher(impersonating)
  }

  /** undici makes one header of several in HTTP/2, too. */
  override createDispatcherOptions(
    ...[cluster, agent]: [Cluster | null, Parameters<KubeConfig['createDispatcherOptions']>[1]]
  ): ReturnType<KubeConfig['createDispatcherOptions']> {
    const options = super.createDispatcherOptions(cluster, agent)
    if (this.#headers === undefined || options.type === 'socks') return options
    if (options.type === 'none') return { type: 'agent', connect: overHttp1({}) }
    if (options.type === 'agent') return { ...options, connect: overHttp1(options.connect) }
    return { ...options, requestTls: overHttp1(options.requestTls) }
  }

  get #headers(): Headers | undefined {
    const user = this.getCurrentUser()
    return user === null ? undefined : besides.get(user)
  }
}

const overHttp1 = <Options extends object>(options: Options): Options => ({ ...options, allowH2: false })

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
function headersOf({ 'as-uid': uid, 'as-groups': groups, 'as-user-extra': extra }: AuthInfo): Headers {
  return {
    ...(uid ? { 'Impersonate-Uid': String(uid) } : {}),
    ...(groups?.length ? { 'Impersonate-Group': groups.map(String) } : {}),
    ...Object.fromEntries(
      Object.entries(extra ?? {}).map(([key, values]) => [`Impersonate-Extra-${escaped(key)}`, values.map(String)]),
    ),
  }
}

/** As client-go does it: whatever may not be in a header's name, and `%`, by its bytes. */
const escaped = (key: string): string =>
  [...Buffer.from(key, 'utf8')]
    .map((byte) => {
      const character = String.fromCharCode(byte)
      return /[\w!#$&'*+.^`|~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')
