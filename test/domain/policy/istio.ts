import type { RbacFilter } from '../../../src/domain/envoy/rbac.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import type { Condition, Operation, Rule, Source, Spec } from '../../../src/domain/policy/authorization-policy.ts'

type Json = Readonly<Record<string, unknown>>

/**
 * What istiod makes of AuthorizationPolicies (istio pilot/pkg/security/authz), as far as regctl writes them: the
 * DENY filter first, then the ALLOW filter. Checked against a real proxy's dump in active-config.test.ts.
 */
export function rbacFilters(policies: readonly KubeObject[], trustDomain = 'cluster.local'): readonly RbacFilter[] {
  return (['DENY', 'ALLOW'] as const).map((action) => {
    const entries = policies
      .filter((policy) => specOf(policy).action === action)
      .flatMap((policy) =>
        specOf(policy).rules.map((rule, index) => [
          `ns[${policy.metadata.namespace}]-policy[${policy.metadata.name}]-rule[${index}]`,
          {
            permissions: rule.to.map(({ operation }) => permission(operation)),
            principals: principals(rule, trustDomain),
          },
        ]),
      )
    return { ...(action === 'DENY' ? { action } : {}), policies: Object.fromEntries(entries) }
  })
}

const specOf = (policy: KubeObject): Spec => policy.spec as Spec

function permission(operation: Operation): Json {
  const rules = [
    ...some(operation.hosts, host),
    ...none(operation.notHosts, host),
    ...some(operation.methods, method),
    ...none(operation.notMethods, method),
    ...some(operation.paths, path),
    ...none(operation.notPaths, path),
    ...some(operation.ports, (port) => ({ destination_port: Number(port) })),
  ]
  return { and_rules: { rules } }
}

type ToRule = (value: string) => Json

const some = (values: readonly string[] | undefined, rule: ToRule): readonly Json[] =>
  values === undefined ? [] : [{ or_rules: { rules: values.map(rule) } }]

const none = (values: readonly string[] | undefined, rule: ToRule): readonly Json[] =>
  some(values, rule).map((not_rule) => ({ not_rule }))

const header = (name: string, string_match: Json): Json => ({ header: { name, string_match } })
const method = (value: string): Json => header(':method', { exact: value })
const host = (value: string): Json => header(':authority', { ...wildcard(value), ignore_case: true })

function path(value: string): Json {
  if (value.includes('{'))
    return {
      uri_template: {
        name: 'uri-template',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig',
          path_template: value.replaceAll('{*}', '*'),
        },
      },
    }
  return { url_path: { path: wildcard(value) } }
}

function wildcard(value: string): Json {
  if (value.endsWith('*')) return { prefix: value.slice(0, -1) }
  return value.startsWith('*') ? { suffix: value.slice(1) } : { exact: value }
}

function principals(rule: Rule, trustDomain: string): readonly Json[] {
  const when = (rule.when ?? []).flatMap(conditions)
  if (rule.from === undefined) return [{ and_ids: { ids: when.length === 0 ? [{ any: true }] : when } }]
  return rule.from.map(({ source }) => ({ and_ids: { ids: [...identities(source, trustDomain), ...when] } }))
}

/** Conditions on the claims of a token, which may be a text or a list of them. */
function conditions({ key, values, notValues }: Condition): readonly Json[] {
  const [, name = ''] = /^request\.auth\.claims\[(\w+)\]$/.exec(key) ?? []
  const claim = (texts: readonly string[]): Json => {
    const each = texts.map((text) => ({ string_match: wildcard(text) }))
    const value = each.length === 1 ? (each[0] ?? {}) : { or_match: { value_matchers: each } }
    return {
      metadata: {
        filter: 'envoy.filters.http.jwt_authn',
        path: [{ key: 'payload' }, { key: name }],
        value: { or_match: { value_matchers: [{ list_match: { one_of: value } }, value] } },
      },
    }
  }
  return [
    ...(values === undefined ? [] : [claim(values)]),
    ...(notValues === undefined ? [] : [{ not_id: claim(notValues) }]),
  ]
}

function identities(source: Source, trustDomain: string): readonly Json[] {
  const ids = (values: readonly string[]) => ({
    or_ids: {
      ids: values.map((value) => ({
        authenticated: { principal_name: wildcard(`spiffe://${value.replace('cluster.local', trustDomain)}`) },
      })),
    },
  })
  return [
    ...(source.principals === undefined ? [] : [ids(source.principals)]),
    ...(source.notPrincipals === undefined ? [] : [{ not_id: ids(source.notPrincipals) }]),
  ]
}
