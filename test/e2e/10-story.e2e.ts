import { beforeAll, describe, expect, test } from 'vitest'
import { apply, BUILDER, NODES, pod, REGISTRY, ready } from './attacks/kit.ts'
import { clients, ensureNamespaces, fromNothing, getJson, someNodes } from './clients.ts'
import { eventually, kubectl, kubectlOk, regctl, regctlOk } from './cluster.ts'
import { upFlags } from './images.ts'
import { build } from './kaniko.ts'

const RUNNERS = 'e2e-run'

beforeAll(async () => {
  await fromNothing()
  await ensureNamespaces(BUILDER, RUNNERS)
})

test('up installs everything from nothing', async () => {
  const { exitCode, stdout, stderr } = await regctl(['up', ...upFlags])
  expect(exitCode, stderr).toBe(0)
  expect(stdout).toContain('The registry is up on localhost:5000 of every node')
  const nodes = await getJson<{ items: unknown[] }>('nodes')
  const set = await getJson<{ status: { numberReady: number } }>('daemonset', '-n', NODES, 'registry-node')
  expect(set.status.numberReady).toBe(nodes.items.length)
})

test('a second up says that there is nothing to change', async () => {
  const { exitCode, stdout } = await regctl(['up'])
  expect(exitCode).toBe(0)
  expect(stdout).toContain('Nothing to change')
  expect(JSON.parse(await regctlOk(['up', '--json']))).toMatchObject({ changed: [], removed: [], port: 5000 })
  const { stdout: planned } = await regctl(['up', '--dry-run'])
  expect(planned).toContain('Nothing would change')
})

test('grant lets the builders push', async () => {
  const { exitCode, stdout } = await regctl(['grant', BUILDER, 'example'])
  expect(exitCode).toBe(0)
  expect(stdout).toContain(`Every service account of ${BUILDER} may push to example and all below it`)
})

describe.concurrent('with the grant', () => {
  test('Kaniko builds and pushes, kubelets of every node pull by tag and by digest, the pods run', async () => {
    // The suites after this one ask from here.
    const waiting = clients(pod(BUILDER, 'client'))
    const text = `built ${Date.now()}`
    const image = 'localhost:5000/example/app'
    const built = await build(BUILDER, 'build', `${image}:1`, text)
    expect(built.succeeded, built.log).toBe(true)
    expect(built.digest).toMatch(/^sha256:[0-9a-f]{64}$/)
    const nodes = await someNodes()
    const pods = nodes.flatMap(({ name }) =>
      Object.entries({ tag: `${image}:1`, digest: `${image}@${built.digest}` }).map(([kind, reference]) => {
        const container = { image: reference, imagePullPolicy: 'Always', command: undefined }
        return pod(RUNNERS, `${kind}-${name}`, { spec: { nodeName: name }, container })
      }),
    ) as { metadata: { name: string } }[]
    await apply(...pods)
    const names = pods.map(({ metadata }) => metadata.name)
    await ready(RUNNERS, ...names)
    type Running = { status: { containerStatuses: { imageID: string }[] } }
    for (const name of names) {
      const { status } = await getJson<Running>('pod', '-n', RUNNERS, name)
      expect(status.containerStatuses[0]?.imageID, name).toContain(built.digest)
      await eventually(async () => expect(await kubectlOk(['logs', '-n', RUNNERS, name])).toBe(text), {
        timeout: 10_000,
      })
    }
    expect(names.length).toBe(nodes.length * 2)
    await waiting
    await kubectlOk(['delete', 'namespace', RUNNERS, '--wait=false'])
  })

  test('status finds nothing wrong', async () => {
    const status = JSON.parse(await regctlOk(['status', '--json']))
    expect(status).toMatchObject({ port: 5000, problems: [], storage: { kind: 'pvc', phase: 'Bound' } })
    expect(status.registry).toMatchObject([{ ready: true }])
    expect(status.nodes.length).toBeGreaterThan(0)
    for (const { node, proxy } of status.nodes) expect(proxy, node).toMatchObject({ ready: true })
    expect(await regctlOk(['status'])).toContain('All is well')
  })

  test('grants lists the grant', async () => {
    const { grants } = JSON.parse(await regctlOk(['grants', '--json']))
    expect(grants).toEqual([{ namespace: BUILDER, repository: 'example', exact: false, readOnly: false }])
  })

  test('render is what the cluster has, without the http secret', async () => {
    const rendered = await regctlOk(['render'])
    const { data } = await getJson<{ data: { secret: string } }>('secret', '-n', REGISTRY, 'registry-http')
    expect(rendered).not.toContain(data.secret)
    expect(rendered).not.toContain(Buffer.from(data.secret, 'base64').toString())
    expect(rendered).not.toMatch(/^kind: Secret$/m)
    const applied = await kubectl(['apply', '--dry-run=server', '-f', '-'], { input: rendered })
    expect(applied.exitCode, applied.stderr).toBe(0)
    const objects = rendered.split(/^---$/m).length
    expect(applied.stdout.match(/\(server dry run\)$/gm)?.length).toBe(objects)
    // As regctl applies it, nothing is different.
    const diff = await kubectl(['diff', '--server-side', '--field-manager=regctl', '-f', '-'], { input: rendered })
    expect(diff.stdout).toBe('')
    expect(diff.exitCode, diff.stderr).toBe(0)
  })

  test('doctor finds nothing that needs a fix', async () => {
    const { exitCode, stdout } = await regctl(['doctor', '--json'])
    expect(JSON.parse(stdout).findings.filter(({ level }: { level: string }) => !/^(ok|note)$/.test(level))).toEqual([])
    expect(exitCode).toBe(0)
  })
})
