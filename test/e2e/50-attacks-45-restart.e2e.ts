import { beforeAll, describe, expect } from 'vitest'
import { ensureVictim, NODES, pod, ready, remove } from './attacks/kit.ts'
import { replaceProxy, squatter } from './attacks/node.ts'
import { eventually, kubectl, labOnly, onNode, regctl, regctlOk } from './cluster.ts'

const get = async (node: string, url: string): Promise<string> =>
  (await onNode(node, ['curl', '-s', '-m', '3', '-o', '/dev/null', '-w', '%{http_code}', url]))?.stdout ?? ''

const expectServed = (node: string, url: string, timeout: number): Promise<void> =>
  eventually(async () => expect(await get(node, url)).toBe('200'), { timeout, every: 300 })

beforeAll(ensureVictim)

// Each on a node of its own.
describe.concurrent("while a node's proxy is replaced", () => {
  labOnly(
    'a process that takes its port is named by status, and the port comes back by itself when it ends',
    async () => {
      {
        await using thief = squatter('node1', '127.0.0.1', 5000)
        await using other = squatter('node1', '::1', 5000)
        await replaceProxy('node1')
        await Promise.all([thief.bound, other.bound])
        await eventually(
          async () => {
            const { stdout, stderr, exitCode } = await regctl(['status'])
            expect(exitCode).toBe(6)
            for (const address of ['127.0.0.1:5000', '[::1]:5000']) {
              expect(`${stdout}${stderr}`).toContain(`cannot bind '${address}': Address already in use`)
            }
          },
          { timeout: 30_000 },
        )
      }
      await expectServed('node1', 'http://127.0.0.1:5000/v2/', 60_000)
      await expectServed('node1', 'http://[::1]:5000/v2/', 10_000)
    },
  )

  labOnly('a pod that waits for the moment never gets it, and a node without IPv6 serves 127.0.0.1', async () => {
    const ipv6 = (disabled: 0 | 1) => onNode('node2', ['sysctl', '-qw', `net.ipv6.conf.lo.disable_ipv6=${disabled}`])
    const claim = JSON.stringify(
      pod('default', 'attack-moment', {
        spec: { nodeName: 'node2' },
        container: { ports: [{ containerPort: 80, hostPort: 5000, hostIP: '127.0.0.1' }] },
      }),
    )
    const claims: number[] = []
    const stop = new AbortController()
    const trying = (async () => {
      while (!stop.signal.aborted) claims.push((await kubectl(['create', '-f', '-'], { input: claim })).exitCode)
    })()
    try {
      await ipv6(1)
      const next = await replaceProxy('node2')
      await ready(NODES, next)
      await expectServed('node2', 'http://127.0.0.1:5000/v2/', 20_000)
      expect(await get('node2', 'http://[::1]:5000/v2/')).toBe('000')
    } finally {
      stop.abort()
      await trying
      await ipv6(0)
      await remove('pod', ['attack-moment'], '-n', 'default')
      await ready(NODES, await replaceProxy('node2'))
    }
    expect(claims.length).toBeGreaterThan(5)
    expect(claims.filter((code) => code === 0)).toEqual([])
    await expectServed('node2', 'http://[::1]:5000/v2/', 20_000)
  })
})

labOnly('after that all is well', async () => {
  await eventually(() => regctlOk(['status']), { timeout: 30_000 })
})
