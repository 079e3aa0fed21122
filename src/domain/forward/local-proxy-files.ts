import type { Json } from './envoy.ts'

/** Where the container finds what regctl writes, which it cannot change. */
export const PROXY_CONFIG = '/etc/regctl'
/** Where it makes its own socket. */
export const PROXY_STATE = '/run/regctl'
export const BOOTSTRAP_FILE = 'envoy.json'
export const CLUSTER_FILE = 'clusters.json'
export const REPORT_SOCKET = 'report.sock'
export const ADMIN_SOCKET = 'admin.sock'

/** A file whose resources Envoy takes up whenever it is replaced. */
export const watched = (file: string): Json => ({
  resource_api_version: 'V3',
  path_config_source: { path: `${PROXY_CONFIG}/${file}`, watched_directory: { path: PROXY_CONFIG } },
  // A file that says nothing yet must not keep the port closed.
  initial_fetch_timeout: '1s',
})
