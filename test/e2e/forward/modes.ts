import { type Foreground, foreground } from './kit.ts'
import { type ProxyEngine, proxyEngine } from './proxy-engine.ts'

/** A way of `regctl dev-forward` that suites try: its flags, and whether Istio's policies see what goes by it. */
export type Mode = { readonly name: string; readonly flags: readonly string[]; readonly policed: boolean }

export const MODES: readonly Mode[] = [
  { name: 'port-forward by kubectl', flags: ['--mode', 'port-forward', '--transport', 'kubectl'], policed: false },
  { name: 'port-forward by WebSocket', flags: ['--mode', 'port-forward', '--transport', 'websocket'], policed: false },
  { name: 'mesh', flags: ['--mode', 'mesh'], policed: true },
  { name: 'proxy', flags: ['--mode', 'proxy'], policed: true },
]

/** By the developer's kubeconfig where policies see whose it is, by the suites' own where rights on the pod decide. */
export async function serve(
  mode: Mode,
  port: number,
  developer: string,
  ...more: readonly string[]
): Promise<Foreground> {
  const engine = mode.name === 'proxy' ? await proxyEngine() : undefined
  try {
    const forward = await serveBy(engine, mode, port, developer, ...more)
    return {
      ...forward,
      [Symbol.asyncDispose]: async () => {
        await forward[Symbol.asyncDispose]()
        await engine?.[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await engine?.[Symbol.asyncDispose]()
    throw error
  }
}

/** The same with an engine that is there. */
export const serveBy = (
  engine: ProxyEngine | undefined,
  { name, flags, policed }: Mode,
  port: number,
  developer: string,
  ...more: readonly string[]
): Promise<Foreground> => {
  const own = name === 'proxy' ? (engine?.flags ?? flags) : flags
  return foreground(port, ...own, ...(policed ? ['--kubeconfig', developer] : []), ...more)
}
