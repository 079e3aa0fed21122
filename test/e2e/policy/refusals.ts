import { describe, expect, test } from 'vitest'
import { apply, BUILDER, inside, pod, podIp, podOf, REGISTRY, SERVICE } from '../attacks/kit.ts'
import {
  ask,
  askOne,
  builder,
  type Client,
  clients,
  codes,
  ensureNamespaces,
  has,
  LOCAL,
  manifest,
  onHost,
  push,
  someNodes,
  uploadTo,
} from '../clients.ts'
import { labOnly, onNode, regctlOk, run } from '../cluster.ts'
import { build } from '../kaniko.ts'

const TEAM = 'e2e-team'
const STRANGERS = 'e2e-stranger'
const HOSTS = 'e2e-hosts'

/** Service accounts of one namespace, each with a grant of its own, and one without. */
const pusher: Client = { namespace: TEAM, name: 'pusher' }
const exact: Client = { namespace: TEAM, name: 'exact' }
const reader: Client = { namespace: TEAM, name: 'reader' }
const nobody: Client = { namespace: TEAM, name: 'nobody' }
const stranger: Client = { namespace: STRANGERS, name: 'stranger' }
const plain: Client = { namespace: STRANGERS, name: 'plain' }
const host: Client = { namespace: HOSTS, name: 'host' }

let nodes: Awaited<ReturnType<typeof someNodes>>
let digest: string

const as = ({ namespace, name }: Client): object => pod(namespace, name, { spec: { serviceAccountName: name } })
const injected = { labels: { 'sidecar.istio.io/inject': 'true' } }

/** Identities with and without grants, and what they are refused; the builder of the story is there already. */
export async function prepareRefusals(): Promise<void> {
  await ensureNamespaces(TEAM, STRANGERS, HOSTS)
  nodes = await someNodes()
  const accounts = [pusher, exact, reader, nobody].map(({ namespace, name }) => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { namespace, name },
  }))
  await apply(...accounts)
  const granted = (async () => {
    await regctlOk(['grant', TEAM, 'team/app', '--service-account', 'pusher'])
    await regctlOk(['grant', TEAM, 'exact/app', '--service-account', 'exact', '--exact'])
    await regctlOk(['grant', TEAM, 'team/app', '--service-account', 'reader', '--read-only'])
    await clients(...[pusher, exact, reader, nobody].map(as))
  })()
  const bystanders = clients(
    pod(STRANGERS, stranger.name, injected),
    pod(STRANGERS, plain.name),
    onHost(HOSTS, host.name, nodes[0]?.name ?? ''),
  )
  await Promise.all([granted, bystanders])
  digest = await push(builder, 'example/app', 'refusals')
  await push(pusher, 'team/app', '1')
}

export function describeRefusals(): void {
  describe.concurrent('a node', () => {
    test('reads what a pull needs and never writes', async () => {
      const seen = await codes(host, {
        ping: { url: `${LOCAL}/v2/` },
        pull: manifest('example/app', 'refusals'),
        pullByDigest: manifest('team/app', '1'),
        upload: uploadTo('example/app'),
        put: { ...manifest('example/app', 'refusals'), method: 'PUT' },
        patch: { ...uploadTo('example/app'), method: 'PATCH' },
        delete: { ...manifest('example/app', digest), method: 'DELETE' },
        tags: { url: `${LOCAL}/v2/example/app/tags/list` },
        catalog: { url: `${LOCAL}/v2/_catalog` },
      })
      const refused = { upload: 403, put: 403, patch: 403, delete: 403, tags: 403, catalog: 403 }
      expect(seen).toEqual({ ping: 200, pull: 200, pullByDigest: 200, ...refused })
    })

    test('is asked by the names of this registry alone', async () => {
      const url = `${LOCAL}/v2/`
      const hosts = ['localhost:5000', '127.0.0.1:5000', '[::1]:5000', 'localhost', 'evil.example', 'evil.example:5000']
      const seen = await codes(host, Object.fromEntries(hosts.map((name) => [name, { url, host: name }])))
      expect(seen).toEqual({
        'localhost:5000': 200,
        '127.0.0.1:5000': 200,
        '[::1]:5000': 200,
        localhost: 403,
        'evil.example': 403,
        'evil.example:5000': 403,
      })
    })

    test('has port 5000 for itself: nothing listens on its addresses', async () => {
      for (const { ip } of nodes) {
        const url = `http://${ip}:5000/v2/`
        const answers = await ask(plain, [{ url }, { url, host: 'localhost:5000' }, { url, host: '127.0.0.1:5000' }])
        expect(
          answers.map(({ failure }) => failure),
          ip,
        ).toEqual([7, 7, 7])
      }
    })

    labOnly('is not reached from outside of the cluster or from another node', async () => {
      for (const { ip } of nodes)
        for (const header of [[], ['-H', 'Host: localhost:5000']]) {
          const request = ['curl', '-s', '-m', '10', '-o', '/dev/null', ...header, `http://${ip}:5000/v2/`]
          expect((await run(request)).exitCode, ip).toBe(7)
          const other = nodes.find((node) => node.ip !== ip)
          if (other !== undefined) expect((await onNode(other.name, request))?.exitCode, ip).toBe(7)
        }
    })

    test("tells on the proxy's other ports no more than that it is ready", async () => {
      const paths = [
        '/',
        '/stats',
        '/stats/prometheus',
        '/metrics',
        '/config_dump',
        '/certs',
        '/debug/pprof/',
        '/app-health/x/readyz',
      ]
      for (const { ip } of nodes) {
        const ports = await codes(plain, {
          admin: { url: `http://${ip}:15900/` },
          prometheus: { url: `http://${ip}:15922/stats/prometheus` },
          quit: { url: `http://${ip}:15920/quitquitquit`, method: 'POST' },
          drain: { url: `http://${ip}:15920/drain`, method: 'POST' },
          ready: { url: `http://${ip}:15920/healthz/ready` },
          envoyReady: { url: `http://${ip}:15921/healthz/ready` },
        })
        expect(ports.admin, 'admin port').toBe(0)
        expect([0, 403, 404], 'prometheus port').toContain(ports.prometheus)
        expect([403, 404], 'quit').toContain(ports.quit)
        expect([403, 404], 'drain').toContain(ports.drain)
        expect([ports.ready, ports.envoyReady]).toEqual([200, 200])
        for (const port of [15_920, 15_921]) {
          const asks = Object.fromEntries(paths.map((path) => [path, { url: `http://${ip}:${port}${path}` }]))
          const told = Object.entries(await codes(plain, asks)).filter(
            ([, status]) => ![400, 403, 404].includes(status),
          )
          expect(told, `port ${port}`).toEqual([])
        }
      }
    })
  })

  describe.concurrent('a builder', () => {
    test('writes its own repositories and no other', async () => {
      const seen = await codes(builder, {
        itself: uploadTo('example'),
        below: uploadTo('example/app'),
        deep: uploadTo('example/team/app'),
        sibling: uploadTo('example2/app'),
        other: uploadTo('other/app'),
        team: uploadTo('team/app'),
        putOther: { ...manifest('team/app', '1'), method: 'PUT' },
        deleteOwn: { ...manifest('example/app', digest), method: 'DELETE' },
      })
      const refused = { sibling: 403, other: 403, team: 403, putOther: 403, deleteOwn: 403 }
      expect(seen).toEqual({ itself: 202, below: 202, deep: 202, ...refused })
    })

    test('lists the tags of its own repositories and never the catalog', async () => {
      const seen = await codes(builder, {
        own: { url: `${LOCAL}/v2/example/app/tags/list` },
        other: { url: `${LOCAL}/v2/team/app/tags/list` },
        catalog: { url: `${LOCAL}/v2/_catalog` },
        pages: { url: `${LOCAL}/v2/_catalog?n=1` },
        pull: manifest('team/app', '1'),
      })
      expect(seen).toEqual({ own: 200, other: 403, catalog: 403, pages: 403, pull: 200 })
    })

    test('cannot hide a path by escaped slashes', async () => {
      const base = `${LOCAL}/v2`
      const seen = await codes(builder, {
        upper: { method: 'POST', url: `${base}/example%2F..%2Fother/blobs/uploads/` },
        lower: { method: 'POST', url: `${base}/other%2fapp/blobs/uploads/` },
        back: { method: 'POST', url: `${base}/example%5C..%5Cother/blobs/uploads/` },
        dots: { method: 'POST', url: `${base}/example/../other/blobs/uploads/` },
      })
      expect(seen).toEqual({ upper: 400, lower: 400, back: 400, dots: 403 })
    })

    test('is told who it is, what was refused and how to allow it', async () => {
      const { status, body } = await askOne(builder, uploadTo('other/app'))
      expect(status).toBe(403)
      const { errors } = JSON.parse(body)
      expect(errors).toMatchObject([{ code: 'DENIED' }])
      expect(errors[0].message).toMatch(/spiffe:\/\/[^/]+\/ns\/example-builder\/sa\/default/)
      expect(errors[0].message).toContain('POST /v2/other/app/blobs/uploads/')
      expect(errors[0].message).toContain('regctl grant NAMESPACE REPOSITORY')
      const escaped = await askOne(builder, { url: `${LOCAL}/v2/other%2Fapp/manifests/1` })
      expect(JSON.parse(escaped.body).errors).toMatchObject([{ code: 'UNSUPPORTED' }])
      // What the registry itself says stays its own: only the proxy's answers are mapped.
      const missing = await askOne(builder, manifest('example/app', 'missing'))
      expect([missing.status, JSON.parse(missing.body).errors[0].code]).toEqual([404, 'MANIFEST_UNKNOWN'])
    })

    test('crane prints the refusal', async (context) => {
      context.skip(!(await has(builder, 'crane')), 'the image of REGCTL_E2E_TOOLBOX has no crane')
      const command = `crane copy localhost:5000/example/app:refusals localhost:5000/other/app:1`
      const { exitCode, stderr } = await inside(builder.namespace, builder.name, command)
      expect(exitCode).not.toBe(0)
      expect(stderr).toContain('DENIED')
      expect(stderr).toContain(`/ns/${BUILDER}/sa/default may not POST /v2/other/app/blobs/uploads/`)
      expect(stderr).toContain('regctl grant')
    })

    test('Kaniko fails and prints the refusal', async () => {
      const { succeeded, log } = await build(BUILDER, 'refused', 'localhost:5000/other/app:1', 'refused')
      expect(succeeded).toBe(false)
      expect(log).toContain('DENIED')
      expect(log).toContain(`/ns/${BUILDER}/sa/default may not POST /v2/other/app/blobs/uploads/`)
    })

    test('mounts a blob of another repository, or uploads it', async () => {
      const { body } = await askOne(builder, manifest('team/app', '1'))
      const blob = JSON.parse(body).layers[0].digest
      const mount = `${LOCAL}/v2/example/mounted/blobs/uploads/?mount=${blob}&from=team/app`
      expect([201, 202]).toContain((await askOne(builder, { method: 'POST', url: mount })).status)
      const elsewhere = `${LOCAL}/v2/other/mounted/blobs/uploads/?mount=${blob}&from=team/app`
      expect((await askOne(builder, { method: 'POST', url: elsewhere })).status).toBe(403)
    })
  })

  describe.concurrent('a grant', () => {
    test('of a service account is for that one alone', async () => {
      const asks = { upload: uploadTo('team/app'), pull: manifest('team/app', '1'), ping: { url: `${LOCAL}/v2/` } }
      expect(await codes(pusher, asks)).toEqual({ upload: 202, pull: 200, ping: 200 })
      expect(await codes(nobody, asks)).toEqual({ upload: 403, pull: 403, ping: 403 })
      expect(await codes(exact, asks)).toEqual({ upload: 403, pull: 200, ping: 200 })
    })

    test('that is exact does not reach below', async () => {
      await push(exact, 'exact/app', '1')
      const seen = await codes(exact, {
        pull: manifest('exact/app', '1'),
        tags: { url: `${LOCAL}/v2/exact/app/tags/list` },
        below: uploadTo('exact/app/below'),
        above: uploadTo('exact'),
        beside: uploadTo('exact/app2'),
      })
      expect(seen).toEqual({ pull: 200, tags: 200, below: 403, above: 403, beside: 403 })
    })

    test('that is read-only pulls and lists tags, and nothing else', async () => {
      const seen = await codes(reader, {
        ping: { url: `${LOCAL}/v2/` },
        pull: manifest('team/app', '1'),
        tags: { url: `${LOCAL}/v2/team/app/tags/list` },
        upload: uploadTo('team/app'),
        put: { ...manifest('team/app', '2'), method: 'PUT' },
        other: manifest('example/app', 'refusals'),
        otherTags: { url: `${LOCAL}/v2/example/app/tags/list` },
        catalog: { url: `${LOCAL}/v2/_catalog` },
      })
      const refused = { upload: 403, put: 403, other: 403, otherTags: 403, catalog: 403 }
      expect(seen).toEqual({ ping: 200, pull: 200, tags: 200, ...refused })
    })
  })

  describe.concurrent('somebody without a grant', () => {
    test('gets nothing, whatever the namespace', async () => {
      const seen = await codes(stranger, {
        ping: { url: `${SERVICE}/v2/` },
        pull: manifest('example/app', 'refusals', SERVICE),
        upload: uploadTo('example/app', SERVICE),
        own: uploadTo(STRANGERS, SERVICE),
        catalog: { url: `${SERVICE}/v2/_catalog` },
        asNode: { url: `${SERVICE}/v2/`, host: 'localhost:5000' },
      })
      expect(seen).toMatchObject({ ping: 403, pull: 403, upload: 403, own: 403, catalog: 403 })
      // Another Host goes by no route of the mesh to the registry; by its policy it would be 403 as well.
      expect([403, 404, 502, 503]).toContain(seen.asNode)
    })

    test('is reset without mTLS, at the pod as at the Service', async () => {
      const ip = await podIp(REGISTRY, await podOf(REGISTRY, 'kube-registry'))
      const answers = await ask(plain, [
        { url: `http://${ip}:5000/v2/` },
        { url: `http://${ip}:5000/v2/`, host: 'localhost:5000' },
        { method: 'POST', url: `http://${ip}:5000/v2/example/app/blobs/uploads/` },
        { url: `${SERVICE}/v2/` },
      ])
      for (const { status, failure } of answers) {
        expect(status).toBe(0)
        // 52: closed without an answer, 56: reset.
        expect([52, 56]).toContain(failure)
      }
    })

    test('does not learn from the proxy of the registry either', async () => {
      const ip = await podIp(REGISTRY, await podOf(REGISTRY, 'kube-registry'))
      const seen = await codes(plain, {
        stats: { url: `http://${ip}:15020/stats/prometheus` },
        prometheus: { url: `http://${ip}:15090/stats/prometheus` },
        admin: { url: `http://${ip}:15000/config_dump` },
        debug: { url: `http://${ip}:15020/debug/pprof/` },
        quit: { url: `http://${ip}:15020/quitquitquit`, method: 'POST' },
      })
      for (const [name, status] of Object.entries(seen)) expect([0, 403, 404], name).toContain(status)
    })
  })
}
