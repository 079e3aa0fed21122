import https from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'

export type Failure = { readonly at: string; readonly why: string }

/** GETs one after another by each address, some on a connection that stays and some on new ones, until it is stopped. */
export function traffic(host: string, addresses: readonly string[], ca: string) {
  const over = new AbortController()
  const failures: Failure[] = []
  let done = 0
  const agents = addresses.map(() => new https.Agent({ keepAlive: true, maxSockets: 1, ca }))
  const ask = (address: string, agent: https.Agent | false): Promise<number> =>
    new Promise((resolve, reject) => {
      const request = https.get(
        { host: address, port: 443, servername: host, path: '/v2/', headers: { host }, agent, ca, timeout: 10_000 },
        (response) => {
          response.resume()
          response.on('end', () => resolve(response.statusCode ?? 0))
          response.on('error', reject)
        },
      )
      request.on('error', reject)
      request.on('timeout', () => request.destroy(new Error('no answer in 10 s')))
    })
  const loop = async (address: string, agent: https.Agent | false) => {
    while (!over.signal.aborted) {
      try {
        const status = await ask(address, agent)
        if (status !== 200) failures.push({ at: address, why: String(status) })
      } catch (error) {
        failures.push({ at: address, why: String(error) })
      }
      done++
      await pause(20)
    }
  }
  const loops = addresses.flatMap((address, index) => [loop(address, agents[index] ?? false), loop(address, false)])
  return {
    /** Ends it; what failed of how many. */
    stop: async (): Promise<{ readonly done: number; readonly failures: readonly Failure[] }> => {
      over.abort()
      await Promise.all(loops)
      for (const agent of agents) agent.destroy()
      return { done, failures }
    },
  }
}
