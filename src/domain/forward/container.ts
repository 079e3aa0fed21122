import { BOOTSTRAP_FILE, PROXY_DIRECTORY } from './local-proxy.ts'

/** How a container engine is told to run the local proxy. */
export type ProxyContainer = {
  readonly name: string
  readonly image: string
  /** Directory of this machine with the bootstrap and the secrets. */
  readonly directory: string
  readonly port: number
  /** Numeric, so that the secrets need be readable by nobody else. */
  readonly user: string
  /** The engine runs in this machine's own network; one in a virtual machine publishes the port instead. */
  readonly sharesNetwork: boolean
}

/** Its own label, so that what a killed regctl left is found and nothing else is. */
export const FORWARD_LABEL = 'regctl.dev/forward'

/** Arguments for docker and podman alike. */
export function runProxyArgs(container: ProxyContainer): readonly string[] {
  const { name, image, directory, port, user, sharesNetwork } = container
  return [
    ...['run', '--rm', '--name', name, '--label', `${FORWARD_LABEL}=${port}`],
    ...(sharesNetwork ? ['--network', 'host'] : ['--publish', `127.0.0.1:${port}:${port}`]),
    ...['--user', user, '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
    ...['--volume', `${directory}:${PROXY_DIRECTORY}:ro`, '--entrypoint', 'envoy', image],
    ...['--config-path', `${PROXY_DIRECTORY}/${BOOTSTRAP_FILE}`, '--log-level', 'warning', '--use-dynamic-base-id'],
  ]
}

export const removeProxyArgs = (name: string): readonly string[] => ['rm', '--force', '--volumes', name]

export const leftProxiesArgs = (port: number): readonly string[] => [
  ...['ps', '--all', '--quiet', '--filter', `label=${FORWARD_LABEL}=${port}`],
]
