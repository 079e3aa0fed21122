import { afterAll, beforeAll, expect, test } from 'vitest'
import { apply, pod, ready, remove } from './attacks/kit.ts'
import { type Client, clients, getJson, someNodes } from './clients.ts'
import { eventually, kubectl, kubectlOk, labOnly, regctl, regctlOk } from './cluster.ts'
import { container, places, said, withoutTenants } from './tenants/kit.ts'
import { pushRunnable, type Runnable } from './tenants/runnable.ts'

const OWNER = 'e2e-cache-owner'
const OTHER = 'e2e-cache-other'
const OUTSIDE = { 'sidecar.istio.io/inject': 'false' }

const builder: Client = { namespace: OWNER, name: 'builder' }

let node: string
let image: Runnable

type State = { readonly waiting?: { readonly reason?: string; readonly message?: string }; readonly running?: object }
type Pods = {
  readonly items: readonly {
    readonly metadata: { readonly name: string }
    readonly status: { readonly containerStatuses?: readonly { readonly state: State }[] }
  }[]
}

/** A pod on the node whose cache has the image, that takes it from there or not at all. */
const cached = (namespace: string, name: string, reference: string, policy = 'Never'): object =>
  pod(namespace, name, {
    labels: OUTSIDE,
    spec: { nodeName: node },
    container: { image: reference, imagePullPolicy: policy, command: ['/bin/sleep', '1000'] },
  })

/** What became of pods: `running`, or why they wait. Waits until each has come to something. */
const outcomes = (namespace: string): Promise<Record<string, string>> =>
  eventually(
    async () => {
      const { items } = await getJson<Pods>('pods', '-n', namespace)
      const found = items.map(({ metadata, status }) => {
        const { running, waiting } = status.containerStatuses?.[0]?.state ?? {}
        if (running !== undefined) return [metadata.name, 'running'] as const
        if (waiting?.reason === undefined || waiting.reason === 'ContainerCreating')
          throw new Error(`pod ${metadata.name} is not decided yet`)
        return [metadata.name, waiting.reason] as const
      })
      return Object.fromEntries(found)
    },
    { timeout: 30_000, every: 300 },
  )

beforeAll(async () => {
  const [[first]] = await Promise.all([someNodes(), withoutTenants(OWNER, OTHER)])
  node = first?.name ?? ''
  await regctlOk(['tenant', 'add', OWNER, '--private', '--accept'])
  await clients(pod(OWNER, builder.name))
  image = await pushRunnable(builder, `${OWNER}/app`, '1')
  await remove('pod', [builder.name], '-n', OWNER, '--wait=false')
  const both = ['localhost', '127.0.0.1'].map((host) => `${host}:5000/${OWNER}/app:1`)
  await apply(...both.map((reference, index) => cached(OWNER, `pulls-${index}`, reference, 'Always')))
  await ready(OWNER, 'pulls-0', 'pulls-1')
}, 120_000)

afterAll(async () => {
  await Promise.all([
    regctl(['tenant', 'remove', OWNER]),
    remove('namespace', [OWNER, OTHER], '--wait=false'),
    remove('pod', ['e2e-cache-by-id'], '-n', 'kube-system', '--wait=false'),
  ])
})

const names = (): Readonly<Record<string, string>> => ({
  tag: `localhost:5000/${OWNER}/app:1`,
  digest: `localhost:5000/${OWNER}/app@${image.digest}`,
  'tag and digest': `localhost:5000/${OWNER}/app:none@${image.digest}`,
  address: `127.0.0.1:5000/${OWNER}/app:1`,
})

const ids = (): Readonly<Record<string, string>> => ({
  id: image.id,
  'part of the id': image.id.slice(0, 19),
  'three digits of the id': image.id.slice(0, 10),
})

test("a tenant's own pods start from the node's cache, by tag and by digest", async () => {
  const own = Object.values(names()).map((reference, index) => cached(OWNER, `own-${index}`, reference))
  await apply(...own)
  const all = await eventually(async () => {
    const found = await outcomes(OWNER)
    expect(Object.keys(found)).toEqual(expect.arrayContaining(own.map((_, index) => `own-${index}`)))
    return found
  })
  expect(own.map((_, index) => all[`own-${index}`])).toEqual(own.map(() => 'running'))
})

test('a pod of another namespace is refused by every name the cache has it under', async () => {
  await Promise.all(
    Object.entries(names()).map(async ([what, reference], index) => {
      const { exitCode, stderr } = await kubectl(['create', '-f', '-'], {
        input: JSON.stringify(cached(OTHER, `named-${index}`, reference)),
      })
      expect(exitCode, what).not.toBe(0)
      expect(stderr, what).toContain(`belongs to tenant ${OWNER}`)
    }),
  )
})

test('an image id is no image, wherever it stands and whoever asks', async () => {
  const specs = Object.values(places).flatMap((place) => Object.values(ids()).map(place))
  const answers = await Promise.all([OWNER, OTHER, 'default'].map((where) => said(where, specs)))
  expect(answers.flat().filter((answer) => !answer?.includes('is an image id'))).toEqual([])
  const fine = ['sha256', 'example.com/sha256:a15', 'nginx@sha256:'.padEnd(77, 'a'), 'sha256-tools:1', 'team/sha256:1']
  expect(
    await said(
      OTHER,
      fine.map((one) => ({ containers: [container(one)] })),
    ),
  ).toEqual(fine.map(() => undefined))
})

test('what admission lets through, of all that could mean it, starts nothing', async () => {
  const hex = image.id.replace('sha256:', '')
  const tried = [
    `localhost:5000/${OTHER}/app@${image.digest}`,
    `example.com/app@${image.digest}`,
    `app@${image.id}`,
    `sha256@${image.id}`,
    `sha256@${image.digest}`,
    `library/sha256:${hex}`,
    `docker.io/library/sha256:${hex}`,
    hex,
    hex.slice(0, 12),
    `${hex.slice(0, 12)}:latest`,
  ]
  await apply(...tried.map((reference, index) => cached(OTHER, `tried-${index}`, reference)))
  const found = await outcomes(OTHER)
  expect(Object.keys(found)).toHaveLength(tried.length)
  expect(Object.entries(found).filter(([, why]) => !/^(ErrImageNeverPull|InvalidImageName)$/.test(why))).toEqual([])
})

labOnly('it is admission that keeps an id from starting: the kubelet, told to verify nothing, would', async () => {
  await apply(cached('kube-system', 'e2e-cache-by-id', image.id.slice(0, 19)))
  await kubectlOk(['wait', '-n', 'kube-system', '--for=condition=Ready', '--timeout=30s', 'pod/e2e-cache-by-id'])
})
