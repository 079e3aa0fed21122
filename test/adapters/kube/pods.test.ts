import { expect, test } from 'vitest'
import { ClusterPods } from '../../../src/adapters/kube/pods.ts'
import { apiServer } from './api-server.ts'

const nothing = () => ({ status: 500, body: '' })

test('exec gives both streams and the exit code', async () => {
  using server = await apiServer(nothing, () => (send) => {
    queueMicrotask(() => {
      send(1, 'out')
      send(2, 'err')
      send(3, JSON.stringify({ status: 'Failure', details: { causes: [{ reason: 'ExitCode', message: '7' }] } }))
    })
    return () => {}
  })
  const result = await new ClusterPods(server.api).exec('n', 'p', 'c', ['sh', '-c', 'x'])
  expect(result).toEqual({ stdout: 'out', stderr: 'err', exitCode: 7 })
})

test('a command that did not start is an error, and so is a pod that is not there', async () => {
  using server = await apiServer(nothing, (path) => {
    if (path.includes('/gone/')) return undefined
    return (send) => {
      queueMicrotask(() => send(3, JSON.stringify({ status: 'Failure', message: 'no such file "x"' })))
      return () => {}
    }
  })
  const pods = new ClusterPods(server.api)
  await expect(pods.exec('n', 'p', 'c', ['x'])).rejects.toMatchObject({ code: 'EXEC_FAILED', message: /no such file/ })
  await expect(pods.exec('n', 'gone', 'c', ['x'])).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('an abort ends an exec that says nothing', async () => {
  using server = await apiServer(nothing, () => () => () => {})
  const pods = new ClusterPods(server.api)
  const signal = AbortSignal.timeout(50)
  await expect(pods.exec('n', 'p', 'c', ['x'], signal)).rejects.toThrow(/timeout/)
})

const port = Buffer.from([0x88, 0x13])

test('a request through a port-forward, its answer in pieces', async () => {
  let asked = ''
  using server = await apiServer(nothing, () => (send) => {
    send(0, port)
    send(1, port)
    return (data) => {
      asked += data.subarray(1).toString()
      if (!asked.endsWith('\r\n\r\n')) return
      for (const part of [
        'HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Enc',
        'oding: chunked\r\n\r\n3\r\nabc\r\n',
        '0\r\n\r\n',
      ])
        send(0, part)
    }
  })
  const pods = new ClusterPods(server.api)
  const response = await pods.request('n', 'p', 5000, { method: 'GET', path: '/v2/' })
  expect(response).toMatchObject({ status: 200, body: 'abc', headers: { 'x-a': 'b' } })
  expect(asked).toMatch(/^GET \/v2\/ HTTP\/1.1\r\nhost: localhost:5000\r\n/i)
})

test('an answer that ends with the connection', async () => {
  using server = await apiServer(nothing, () => (send, close) => {
    send(0, port)
    return () => {
      send(0, `HTTP/1.0 503 No\r\n\r\n${'x'.repeat(40_000)}`)
      close()
    }
  })
  const response = await new ClusterPods(server.api).request('n', 'p', 1, { method: 'GET', path: '/' })
  expect([response.status, response.body.length]).toEqual([503, 40_000])
})

test('a port where nobody listens, and one that never answers', async () => {
  using server = await apiServer(nothing, (path) => (send) => {
    send(0, port)
    send(1, port)
    if (path.endsWith('=1')) setTimeout(() => send(1, 'connect: connection refused'), 5)
    return () => {}
  })
  const pods = new ClusterPods(server.api)
  const get = { method: 'GET', path: '/' }
  await expect(pods.request('n', 'p', 1, get)).rejects.toMatchObject({ code: 'FORWARD_FAILED', message: /refused/ })
  await expect(pods.request('n', 'p', 2, get, AbortSignal.timeout(50))).rejects.toThrow(/timeout/)
})

test('logs', async () => {
  using server = await apiServer(({ url }) => ({ body: `${url.pathname}${url.search}` }))
  const text = await new ClusterPods(server.api).logs('n', 'p', 'c', { tailLines: 5, previous: true })
  expect(text).toBe('/api/v1/namespaces/n/pods/p/log?container=c&tailLines=5&previous=true')
})
