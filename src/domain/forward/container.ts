import { BOOTSTRAP_FILE, PROXY_CONFIG, PROXY_STATE } from './local-proxy-files.ts'

export type EngineName = 'docker' | 'podman'

export type Engine = {
  readonly name: EngineName
  /** Without root its users are numbered anew, unless told not to. */
  readonly rootless: boolean
}

/** How a container engine is told to run the local proxy. */
export type ProxyContainer = {
  readonly name: string
  readonly image: string
  /** Directories of this machine: with what regctl writes, and for the proxy's own socket. */
  readonly directories: { readonly config: string; readonly state: string }
  /** The process it belongs to. */
  readonly owner: string
  /** Numeric, so that the secrets need be readable by nobody else. */
  readonly user: string
}

/** Its own label, so that what a killed regctl left is found and nothing else is. */
export const OWNER_LABEL = 'regctl.dev/forward'

/** Istio's proxy image; any with a current Envoy does. */
export const PROXY_IMAGE = 'docker.io/istio/proxyv2:1.31.1'

/** Arguments for docker and podman alike. Attached, so that the engine's program passes signals on. */
export function runProxyArgs({ rootless }: Engine, container: ProxyContainer): readonly string[] {
  const { name, image, directories, owner, user } = container
  return [
    ...['run', '--rm', '--pull', 'never', '--attach', 'stderr', '--name', name, '--label', `${OWNER_LABEL}=${owner}`],
    // Its user is ours, also where the engine numbers users anew.
    ...['--network', 'host', '--userns', rootless ? 'keep-id' : 'host', '--user', user],
    ...['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
    // SELinux would want our directories relabelled.
    ...['--security-opt', 'label=disable'],
    ...['--log-driver', 'json-file', '--log-opt', 'max-size=10m'],
    ...['--volume', `${directories.config}:${PROXY_CONFIG}:ro`, '--volume', `${directories.state}:${PROXY_STATE}`],
    ...['--entrypoint', 'envoy', image, '--config-path', `${PROXY_CONFIG}/${BOOTSTRAP_FILE}`],
    // Its log is for those who look: by default it is ten seconds late.
    ...['--log-level', 'warning', '--file-flush-interval-msec', '1000', '--disable-hot-restart'],
  ]
}

export const removeContainersArgs = (...names: readonly string[]): readonly string[] => ['rm', '--force', ...names]

export const ourContainersArgs: readonly string[] = [
  ...['ps', '--all', '--no-trunc', '--quiet', '--filter', `label=${OWNER_LABEL}`],
]

/** One line for each: `ID OWNER`. */
export const ownersArgs = (ids: readonly string[]): readonly string[] => [
  ...['inspect', '--format', `{{.Id}} {{index .Config.Labels "${OWNER_LABEL}"}}`, ...ids],
]

/** What docker says besides: of its help, and of the container it waited for in vain. */
const ASIDE = /^(See '|Run '|time=")/

/** The last thing that was said, without Envoy's time and place or the engine's name. */
export function lastWords(stderr: string): string {
  const line = stderr
    .split('\n')
    .map((one) => one.trim())
    .findLast((one) => one !== '' && !ASIDE.test(one))
  return (line ?? 'it said nothing').replace(/^(\[[^\]]*\]\s*)+/, '').replace(/^(docker|podman|Error): /i, '')
}
