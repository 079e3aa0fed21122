import { afterAll, beforeAll, expect, test } from 'vitest'
import { apply, BUILDER, ensureVictim, NODES, pod, podOf, REGISTRY, ready, remove, SECRET } from './attacks/kit.ts'
import { codesIn, notRefused, request, type Wire, wire } from './attacks/raw.ts'
import { foreignUploads, listings, overrides, smuggled } from './attacks/spellings.ts'

const ATTACKER = 'attack-paths'
const UPLOAD = `/v2/${SECRET}/blobs/uploads/`

let builder: Wire
let node: Wire
/** The registry itself, past its proxy: what it holds in the end is what the attacks are judged by. */
let registry: Wire

beforeAll(async () => {
  await ensureVictim()
  await remove('pod', [ATTACKER], '-n', BUILDER)
  await apply(pod(BUILDER, ATTACKER))
  await ready(BUILDER, ATTACKER)
  builder = await wire(BUILDER, ATTACKER, 5000)
  node = await wire(NODES, await podOf(NODES, 'registry-node'), 5000)
  registry = await wire(REGISTRY, await podOf(REGISTRY, 'kube-registry'), 5000)
})

afterAll(async () => {
  for (const one of [builder, node, registry]) await one?.[Symbol.asyncDispose]()
  await remove('pod', [ATTACKER], '-n', BUILDER, '--wait=false')
})

test('over this wire the builder writes what it may', async () => {
  expect(codesIn(await builder.ask(request('GET', '/v2/')))).toEqual([200])
  expect(codesIn(await builder.ask(request('POST', '/v2/example/app/blobs/uploads/')))).toEqual([202])
})

test(`${foreignUploads.length} spellings of a foreign repository: no upload begins there`, async () => {
  expect(
    await notRefused(
      builder,
      foreignUploads.map((target) => request('POST', target)),
    ),
  ).toEqual([])
})

test(`${listings.length} spellings of the catalog and of foreign tags tell a builder and a node nothing`, async () => {
  const requests = listings.map((target) => request('GET', target))
  expect(await notRefused(builder, requests)).toEqual([])
  expect(await notRefused(node, requests)).toEqual([])
})

test(`${Object.keys(smuggled).length} ways to hide a second request: the registry begins no upload for it`, async () => {
  const poured = (over: Wire) =>
    Promise.all(Object.entries(smuggled).map(async ([name, bytes]) => ({ name, answer: await over.pour(bytes) })))
  const [answers, byNode] = await Promise.all([poured(builder), poured(node)])
  // A node's proxy may read requests itself, and then the registry's must read them the same way.
  expect(byNode.filter(({ answer }) => codesIn(answer).includes(202))).toEqual([])
  // The outer request may be within the builder's right; the hidden one would be a second 202 that names the secret.
  const passed = answers.filter(({ answer }) =>
    answer.split(/^HTTP/m).some((one) => / 2\d\d /.test(one) && one.includes(SECRET)),
  )
  expect(passed).toEqual([])
  expect(answers.filter(({ answer }) => codesIn(answer).filter((code) => code === 202).length > 1)).toEqual([])
  const codes = Object.fromEntries(answers.map(({ name, answer }) => [name, codesIn(answer)]))
  // Two honest requests on one connection: the wire works, and the second is judged by itself.
  expect(codes.pipelined).toEqual([202, 403])
  for (const name of ['CL.TE', 'bare LF', 'TE before the colon', 'CL twice', 'NUL in a header']) {
    expect(codes[name]?.includes(202), name).toBe(false)
  }
})

test('headers that override path, method or caller change nothing', async () => {
  const answers = await Promise.all(overrides.map((header) => builder.ask(request('POST', UPLOAD, [header]))))
  expect(answers.map(codesIn)).toEqual(overrides.map(() => [403]))
})

test('a node writes nothing by any method or spelling', async () => {
  const methods = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'post', 'GETX']
  const targets = ['/v2/example/app/blobs/uploads/', ...foreignUploads]
  expect(
    await notRefused(
      node,
      methods.map((method) => request(method, `/v2/${SECRET}/manifests/1`)),
    ),
  ).toEqual([])
  expect(
    await notRefused(
      node,
      targets.map((target) => request('POST', target)),
    ),
  ).toEqual([])
  expect(codesIn(await node.ask(request('GET', '/v2/', ['X-HTTP-Method-Override: POST'])))).toEqual([200])
})

test('a node answers only to the names a container runtime uses', async () => {
  const hosts = [
    'evil.example',
    'localhost.evil.example:5000',
    'localhost:80',
    'kube-registry.kube-registry:5000',
    '0.0.0.0:5000',
  ]
  const requests = hosts.map((host) => request('GET', '/v2/').replace('localhost:5000', host))
  expect(await notRefused(node, requests)).toEqual([])
})

test('after all of it the registry holds nothing in the foreign repository', async () => {
  const catalog = await registry.ask(request('GET', '/v2/_catalog'))
  expect(codesIn(catalog)).toEqual([200])
  expect(catalog).not.toContain(SECRET)
  expect(codesIn(await registry.ask(request('GET', `/v2/${SECRET}/tags/list`)))).toEqual([404])
})
