/**
 * Decides a request by the RBAC filters Envoy has in force, as its config_dump prints them. This is how a change of
 * policy is proven: by what the proxy will do, whatever the rules are called and whoever wrote them.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/rbac/v3/rbac.proto
 */

/** A request as the filters see it; `path` without the query, and no content type. */
export type Request = {
  readonly principal: string
  readonly method: string
  readonly path: string
  readonly query?: string
  readonly host: string
  readonly port: number
  /** Of a token the proxy has checked; absent without one. */
  readonly claims?: Readonly<Record<string, string | readonly string[]>>
}

type Json = Readonly<Record<string, unknown>>

export type RbacFilter = {
  readonly action?: string
  /** Rules in Envoy's matching API, which are not judged. */
  readonly matcher?: unknown
  readonly policies?: Readonly<
    Record<string, { readonly permissions?: readonly Json[]; readonly principals?: readonly Json[] }>
  >
}

/** A matcher this evaluator does not know: the rules cannot be judged, so nothing is proven. */
export class UnknownMatcher extends Error {
  constructor(matcher: Json) {
    super(`the proxy's policy has a condition regctl cannot judge: ${Object.keys(matcher).join(', ') || 'empty'}`)
    this.name = 'UnknownMatcher'
  }
}

export type Decision = {
  readonly allowed: boolean /** The policy that decided, when one did. */
  readonly policy?: string
}

/** Runs the filters in their order: a DENY that matches ends it, an ALLOW filter needs a match. */
export function decide(filters: readonly RbacFilter[], request: Request): Decision {
  let by: string | undefined
  for (const filter of filters) {
    if (filter.matcher !== undefined) throw new UnknownMatcher({ matcher: filter.matcher })
    const match = Object.entries(filter.policies ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .find(
        ([, policy]) =>
          (policy.permissions ?? []).some((permission) => permits(permission, request)) &&
          (policy.principals ?? []).some((principal) => isPrincipal(principal, request)),
      )?.[0]
    if (filter.action === 'DENY') {
      if (match !== undefined) return { allowed: false, policy: match }
    } else if (filter.action === undefined || filter.action === 'ALLOW') {
      if (match === undefined) return { allowed: false }
      by = match
    }
  }
  return by === undefined ? { allowed: true } : { allowed: true, policy: by }
}

const listOf = (value: unknown, key: string): readonly Json[] => (value as Record<string, readonly Json[]>)[key] ?? []

function permits(rule: Json, request: Request): boolean {
  if (rule.any === true) return true
  if ('and_rules' in rule) return listOf(rule.and_rules, 'rules').every((inner) => permits(inner, request))
  if ('or_rules' in rule) return listOf(rule.or_rules, 'rules').some((inner) => permits(inner, request))
  if ('not_rule' in rule) return !permits(rule.not_rule as Json, request)
  if ('destination_port' in rule) return rule.destination_port === request.port
  if ('url_path' in rule) return matches((rule.url_path as Json).path as Json, request.path)
  if ('header' in rule) return headerMatches(rule.header as Json, request)
  if ('uri_template' in rule) return templateMatches(rule.uri_template as Json, request.path)
  throw new UnknownMatcher(rule)
}

function isPrincipal(id: Json, request: Request): boolean {
  if (id.any === true) return true
  if ('and_ids' in id) return listOf(id.and_ids, 'ids').every((inner) => isPrincipal(inner, request))
  if ('or_ids' in id) return listOf(id.or_ids, 'ids').some((inner) => isPrincipal(inner, request))
  if ('not_id' in id) return !isPrincipal(id.not_id as Json, request)
  if ('authenticated' in id) {
    const name = (id.authenticated as Json).principal_name
    return name === undefined || matches(name as Json, request.principal)
  }
  if ('filter_state' in id && (id.filter_state as Json).key === 'io.istio.peer_principal')
    return matches((id.filter_state as Json).string_match as Json, request.principal)
  if ('header' in id) return headerMatches(id.header as Json, request)
  if ('url_path' in id) return matches((id.url_path as Json).path as Json, request.path)
  if ('metadata' in id) return claimMatches(id.metadata as Json, request)
  // Its successor, which also knows metadata of the route.
  if ('sourced_metadata' in id && (id.sourced_metadata as Json).metadata_source !== 'ROUTE')
    return claimMatches((id.sourced_metadata as Json).metadata_matcher as Json, request)
  throw new UnknownMatcher(id)
}

/** What jwt_authn found in the token, which Istio keeps under `payload`. */
function claimMatches(metadata: Json, { claims }: Request): boolean {
  const [first, name, ...more] = ((metadata.path ?? []) as readonly Json[]).map(({ key }) => String(key))
  if (metadata.filter !== 'envoy.filters.http.jwt_authn' || first !== 'payload' || more.length > 0)
    throw new UnknownMatcher({ [`metadata ${metadata.filter}`]: true })
  const value = claims?.[name ?? '']
  return value !== undefined && valueMatches(metadata.value as Json, value) !== (metadata.invert === true)
}

function valueMatches(matcher: Json, value: string | readonly string[]): boolean {
  if ('or_match' in matcher) return listOf(matcher.or_match, 'value_matchers').some((one) => valueMatches(one, value))
  if ('string_match' in matcher) return typeof value === 'string' && matches(matcher.string_match as Json, value)
  const each = (matcher.list_match as Json | undefined)?.one_of
  if (each === undefined) throw new UnknownMatcher(matcher)
  return Array.isArray(value) && value.some((one) => valueMatches(each as Json, one))
}

function headerMatches(header: Json, request: Request): boolean {
  const { method, host, path, query } = request
  const whole = query === undefined ? path : `${path}?${query}`
  const value = { ':method': method, ':authority': host, ':path': whole, 'content-type': '' }[String(header.name)]
  if (value === undefined) throw new UnknownMatcher({ [`header ${String(header.name)}`]: true })
  const found = header.present_match === true ? value !== '' : matches(header.string_match as Json | undefined, value)
  return header.invert_match === true ? !found : found
}

function matches(matcher: Json | undefined, value: string): boolean {
  if (matcher === undefined) throw new UnknownMatcher({})
  const fold = (text: unknown) => (matcher.ignore_case === true ? String(text).toLowerCase() : String(text))
  if ('exact' in matcher) return fold(value) === fold(matcher.exact)
  if ('prefix' in matcher) return fold(value).startsWith(fold(matcher.prefix))
  if ('suffix' in matcher) return fold(value).endsWith(fold(matcher.suffix))
  if ('contains' in matcher) return fold(value).includes(fold(matcher.contains))
  if ('safe_regex' in matcher) {
    const expression = String((matcher.safe_regex as Json).regex)
    return new RegExp(`^(?:${expression.replaceAll(/\\Q(.*?)\\E/g, (_, text: string) => quoted(text))})$`).test(value)
  }
  throw new UnknownMatcher(matcher)
}

/** `*` is one path segment, `**` any number of them (envoy uri_template_lib). */
function templateMatches(extension: Json, path: string): boolean {
  const template = (extension.typed_config as Json | undefined)?.path_template
  if (typeof template !== 'string') throw new UnknownMatcher(extension)
  const expression = template
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? '.*' : part === '*' ? '[^/]+' : quoted(part)))
    .join('')
  return new RegExp(`^${expression}$`).test(path)
}

const quoted = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`)
