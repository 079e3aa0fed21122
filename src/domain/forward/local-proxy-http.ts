import { type Json, type } from './envoy.ts'
import { REPORT_PATH } from './forward-report.ts'
import { REGISTRY, REGISTRY_WRITES } from './local-proxy-clusters.ts'

/** Hosts and origins that are this forward. */
export type Names = { readonly hosts: readonly string[]; readonly origins: readonly string[] }

const errors = (code: string, message: string): Json => ({
  errors: [{ code, message: `regctl: ${message}`, detail: null }],
})

/** Every request's Host and Origin are looked at, not only a connection's first. */
export function connectionManager(names: Names): Json {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      ...type('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: 'registry',
      codec_type: 'HTTP1',
      // Layers take as long as they take.
      stream_idle_timeout: '0s',
      request_headers_timeout: '10s',
      // The answers of the registry as they are.
      server_header_transformation: 'PASS_THROUGH',
      generate_request_id: false,
      internal_address_config: { unix_sockets: false },
      access_log: [
        {
          name: 'envoy.access_loggers.stdout',
          typed_config: type('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog'),
        },
      ],
      http_filters: [
        {
          name: 'envoy.filters.http.router',
          typed_config: { ...type('envoy.extensions.filters.http.router.v3.Router'), suppress_envoy_headers: true },
        },
      ],
      local_reply_config: { mappers: [unreachable] },
      route_config: {
        // The cluster is in a file of its own.
        validate_clusters: false,
        virtual_hosts: [registryHost(names), otherHosts(names)],
      },
    },
  }
}

/** Envoy's own answers where the registry gave none. */
const unreachable: Json = {
  filter: { response_flag_filter: { flags: ['UF', 'UH', 'UO', 'URX', 'UC', 'UR', 'NC'] } },
  status_code: 503,
  body_format_override: {
    json_format: errors(
      'UNAVAILABLE',
      'the registry cannot be reached: %RESPONSE_CODE_DETAILS%; see regctl dev-forward --status',
    ),
  },
}

const isMethod = (...methods: readonly string[]): Json => ({
  name: ':method',
  string_match: { safe_regex: { regex: methods.join('|') } },
})

/** Fully jittered pauses of up to a second: a registry that restarts is waited for, for about a minute. */
const retries = (reasons: string): Json => ({
  retry_on: reasons,
  num_retries: 100,
  retry_back_off: { base_interval: '0.1s', max_interval: '1s' },
})

const to = (cluster: string, reasons: string): Json => ({
  cluster,
  timeout: '0s',
  retry_policy: retries(reasons),
})

function registryHost({ hosts, origins }: Names): Json {
  const foreign = origins.map((origin) => ({
    name: 'origin',
    string_match: { exact: `http://${origin}`, ignore_case: true },
    invert_match: true,
  }))
  return {
    name: 'registry',
    domains: hosts,
    routes: [
      {
        match: { prefix: '/', headers: [{ name: 'origin', present_match: true }, ...foreign] },
        ...refused(403, 'requests from web pages are refused'),
      },
      {
        match: { path: REPORT_PATH, headers: [isMethod('GET')] },
        route: { cluster: 'regctl' },
      },
      {
        match: { prefix: '/', headers: [isMethod('GET', 'HEAD')] },
        route: to(REGISTRY, 'connect-failure,refused-stream,reset'),
      },
      // What was not sent may be sent again, whatever it is.
      { match: { prefix: '/' }, route: to(REGISTRY_WRITES, 'connect-failure') },
    ],
  }
}

const otherHosts = ({ hosts: [host] }: Names): Json => ({
  name: 'others',
  domains: ['*'],
  routes: [{ match: { prefix: '/' }, ...refused(421, `it serves ${host} here and no other name`) }],
})

const refused = (status: number, message: string): Json => ({
  direct_response: { status, body: { inline_string: `${JSON.stringify(errors('DENIED', message))}\n` } },
  response_headers_to_add: [
    { header: { key: 'content-type', value: 'application/json' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
  ],
})
