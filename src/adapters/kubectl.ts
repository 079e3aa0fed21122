export type KubectlTarget = {
  readonly context: string
  readonly kubeconfig?: string
  readonly namespace: string
}

/** `kubectl port-forward` of one pod's port to a free port of `address`. */
export function portForwardArgs(target: KubectlTarget, pod: string, port: number, address: string): readonly string[] {
  return [
    ...(target.kubeconfig === undefined ? [] : ['--kubeconfig', target.kubeconfig]),
    '--context',
    target.context,
    '--namespace',
    target.namespace,
    'port-forward',
    '--address',
    address,
    `pod/${pod}`,
    `:${port}`,
  ]
}

/**
 * For kubectl's Go runtime, where the user has not set it. Its goroutines hand each frame on to one another: on one thread that
 * takes a fifth less processor time, enough for some 300 MiB/s. Its heap is so small that it collects all the time.
 */
export const portForwardEnv = (
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> => ({
  GOMAXPROCS: env.GOMAXPROCS ?? '1',
  GOGC: env.GOGC ?? '200',
})

/** The port kubectl took, from its line `Forwarding from 127.0.0.1:40123 -> 5000`. */
export function forwardedPort(text: string): number | undefined {
  const port = /^Forwarding from \S+:(\d+) -> \d+$/m.exec(text)?.[1]
  return port === undefined ? undefined : Number(port)
}

/** What to tell of kubectl's stderr: its last line that says an error, without klog's prefix. */
export function kubectlTrouble(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.replace(/^[EWI]\d{4} [\d:.]+\s+\d+ \S+\] /, '').trim())
    .filter((line) => line !== '')
  return (lines.findLast((line) => /^error:/i.test(line)) ?? lines.at(-1) ?? 'it said nothing').replace(
    /^error:\s*/i,
    '',
  )
}
