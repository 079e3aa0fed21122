import type { ExposePorts } from '../../ports.ts'

/** Longer than kube-proxy takes to open a new port of its node; a network that is closed to this machine costs no more. */
const LIMIT = 5_000

/** Returns when each of the addresses takes connections, or tells which do not as far as this machine can see. */
export async function untilAnswering(ports: ExposePorts, addresses: readonly string[]): Promise<void> {
  if (addresses.length === 0) return
  const silent = await ports.report.step('Wait for its addresses to answer', async () => {
    const signal = AbortSignal.any([ports.signal, AbortSignal.timeout(LIMIT)])
    const found = await Promise.all(addresses.map((address) => answers(ports, address, signal)))
    ports.signal.throwIfAborted()
    return addresses.filter((_, index) => found[index] === false)
  })
  if (silent.length > 0) ports.report.info(`No answer from ${silent.join(', ')}, as seen from this machine`)
}

async function answers({ dial, clock }: ExposePorts, address: string, signal: AbortSignal): Promise<boolean> {
  const deadline = clock.now() + LIMIT
  while (!signal.aborted && clock.now() < deadline) {
    try {
      const connection = await dial(address, signal)
      connection.destroy()
      return true
    } catch {
      await clock.sleep(100, signal).catch(() => {})
    }
  }
  return false
}
