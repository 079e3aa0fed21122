import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { extraTool } from '../lab/tools.ts'
import { apply, BUILDER, ensureVictim, inside, namespace, pod, ready, remove, SERVICE } from './attacks/kit.ts'
import { eventually, kubectlOk, lab, onNode, regctl, regctlOk, slow } from './cluster.ts'
import { refused } from './developers/gateways.ts'
import { attachments, foreignRoutes, openGateway } from './expose/intruders.ts'
import { EXPOSE } from './expose/stage.ts'
import { commands, pushStep } from './external/guide.ts'
import { Issuer, servedIssuer } from './external/issuer.ts'
import { Outside, uploadTo } from './external/outside.ts'

const MAIN = 'repo:acme/app:ref:refs/heads/main'
const OTHER = 'repo:acme/other:ref:refs/heads/main'
const DOCUMENTED = 'repo:acme/documented:ref:refs/heads/main'
const AUDIENCE = 'tokens.e2e.example'
const STRANGER = 'e2e-external-stranger'

/** Of an issuer whose keys were handed over. */
const corp = new Issuer('https://issuer.corp.example')
let outside: Outside
let served: Awaited<ReturnType<typeof servedIssuer>>
let directory: string
let keys: string

const flags = ({ name }: Issuer, audience = AUDIENCE) => ['--issuer', name, '--audience', audience]
const grantExternal = (...args: readonly string[]) => regctlOk(['grant-external', ...args])
const main = (more: Readonly<Record<string, unknown>> = {}, signedBy?: Issuer) =>
  served.issuer.token(MAIN, AUDIENCE, more, signedBy ?? served.issuer)

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regctl-e2e-external-'))
  keys = join(directory, 'keys.json')
  await writeFile(keys, corp.keys)
  served = await servedIssuer(DOCUMENTED)
  await ensureVictim()
  outside = await Outside.open('public/*')
  await grantExternal(MAIN, 'team', ...flags(served.issuer))
})

afterAll(async () => {
  await regctl(['revoke-external', MAIN, '--all'])
  await regctl(['revoke-external', OTHER, '--all'])
  await remove('namespace', [STRANGER], '--wait=false')
  await outside?.[Symbol.asyncDispose]()
  await served?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

describe('a token', () => {
  test('pushes and reads its repository with crane, and nothing else', async () => {
    expect(served.asked).toEqual(expect.arrayContaining(['/.well-known/openid-configuration', '/keys']))
    const image = `${outside.host}/team/app:1`
    const layer = await outside.layer()
    const push = (to: string, token?: string) => outside.client(['crane', 'append', '-f', layer, '-t', to], token)
    expect(await push(image, main())).toMatchObject({ exitCode: 0 })
    expect((await outside.client(['crane', 'manifest', image], main())).stdout).toContain('application/vnd.')
    expect((await push(image)).stderr).toMatch(/401|unauthorized/i)
    // It prints the body, which is the policy's.
    expect((await outside.client(['crane', 'manifest', image])).stderr).toMatch(/denied/i)
    expect((await push(`${outside.host}/other/app:1`, main())).stderr).toMatch(/403|denied/i)
    // As everybody: what is exposed.
    expect(await outside.ask({ path: '/v2/public/app/manifests/1', token: main() })).toBe(404)
  })

  test('is a password for clients that know nothing else, such as regclient', async () => {
    const [from, to] = [`${outside.host}/team/app:1`, `${outside.host}/team/copy:1`]
    const settings = (pass: string) => ({
      version: 1,
      creds: [{ registry: outside.host, user: 'token', pass }],
      sync: [{ source: from, target: to, type: 'image' }],
    })
    const sync = async (pass: string) => {
      await writeFile(join(directory, 'regsync.json'), JSON.stringify(settings(pass)))
      return outside.client([await extraTool('regclient', 'regsync'), 'once', '-c', join(directory, 'regsync.json')])
    }
    expect(await sync('no token')).toMatchObject({ exitCode: 1 })
    expect(await sync(main())).toMatchObject({ exitCode: 0 })
    expect(await outside.client(['crane', 'digest', to], main())).toMatchObject({ exitCode: 0 })
    const basic = (password: string) => ({ authorization: `Basic ${Buffer.from(`ci:${password}`).toString('base64')}` })
    expect(
      await outside.statuses({
        'a token': { ...uploadTo('team/app'), headers: basic(main()) },
        'another subject': { ...uploadTo('team/app'), headers: basic(main({ sub: OTHER })) },
        elsewhere: { ...uploadTo('other/app'), headers: basic(main()) },
        'a word': { ...uploadTo('team/app'), headers: basic('word') },
        'nothing like it': { ...uploadTo('team/app'), headers: { authorization: 'Basic ===' } },
        'a ping': { path: '/v2/', headers: basic('word') },
      }),
    ).toEqual({
      'a token': 202,
      'another subject': 403,
      elsewhere: 403,
      'a word': 403,
      'nothing like it': 403,
      'a ping': 200,
    })
  })

  test('is taken for no more than it says', async () => {
    const other = new Issuer(served.issuer.name)
    const forged = new Issuer('https://token.actions.githubusercontent.com')
    const to = (token: string) => uploadTo('team/app', token)
    expect(
      await outside.statuses({
        good: to(main()),
        'good among audiences': to(main({ aud: ['else', AUDIENCE] })),
        none: uploadTo('team/app'),
        'wrong audience': to(main({ aud: 'else' })),
        expired: to(main({ exp: Math.floor(Date.now() / 1000) - 120 })),
        'not yet valid': to(main({ nbf: Math.floor(Date.now() / 1000) + 600 })),
        unsigned: to(served.issuer.token(MAIN, AUDIENCE, {}, null)),
        'wrong key': to(main({}, other)),
        'unknown issuer': to(forged.token(MAIN, AUDIENCE)),
        'subject of another repository': to(main({ sub: OTHER })),
        'subject that begins like it': to(main({ sub: `${MAIN}-2` })),
        'subject that ends like it': to(main({ sub: 'main' })),
        'subject as a list': to(main({ sub: [MAIN] })),
        'another repository': uploadTo('other/app', main()),
        'a longer name': uploadTo('team2/app', main()),
        deletion: { method: 'DELETE', path: '/v2/team/app/manifests/1', token: main() },
        catalog: { path: '/v2/_catalog', token: main() },
        'other reads': { path: '/v2/other/app/manifests/1', token: main() },
        'no token at all': to('nonsense'),
      }),
    ).toEqual({
      good: 202,
      'good among audiences': 202,
      none: 401,
      'wrong audience': 403,
      expired: 401,
      'not yet valid': 401,
      unsigned: 401,
      'wrong key': 401,
      'unknown issuer': 401,
      'subject of another repository': 403,
      'subject that begins like it': 403,
      'subject that ends like it': 403,
      'subject as a list': 401,
      'another repository': 403,
      'a longer name': 403,
      deletion: 403,
      catalog: 403,
      'other reads': 403,
      'no token at all': 401,
    })
  })

  test('mounts nothing of what it may not read', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': '0' }
    const mount = (query: string) => ({ ...uploadTo('team/app', main()), path: `/v2/team/app/blobs/uploads/?${query}` })
    expect(
      await outside.statuses({
        query: mount(`mount=sha256:${'0'.repeat(64)}&from=attack-secret/app`),
        encoded: mount(`%6Dount=sha256:${'0'.repeat(64)}&%66rom=attack-secret/app`),
        form: { ...uploadTo('team/app', main()), headers: form },
      }),
    ).toEqual({ query: 403, encoded: 403, form: 403 })
  })

  test("gets no more by somebody's policy that lets everybody in", async () => {
    const all = { namespace: 'istio-system', name: 'e2e-external-all' }
    const spec = { rules: [{}] }
    await apply({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: all, spec })
    try {
      const builders = async () =>
        (await inside(BUILDER, 'external', asked(`${SERVICE}/v2/other/app/tags/list`))).stdout
      await eventually(async () => expect(await builders()).toBe('404'), { every: 200 })
      expect(
        await outside.statuses({
          none: uploadTo('team/app'),
          'another subject': uploadTo('team/app', main({ sub: OTHER })),
          'another repository': uploadTo('other/app', main()),
          'other reads': { path: '/v2/other/app/manifests/1', token: main() },
        }),
      ).toEqual({ none: 401, 'another subject': 403, 'another repository': 403, 'other reads': 403 })
    } finally {
      await kubectlOk(['delete', 'authorizationpolicy', '-n', all.namespace, all.name])
    }
  })

  beforeAll(async () => {
    await remove('namespace', [STRANGER])
    await apply(namespace(STRANGER, true))
    await remove('pod', ['external'], '-n', BUILDER)
    await apply(pod(BUILDER, 'external'), pod(STRANGER, 'external'))
    await Promise.all([ready(BUILDER, 'external'), ready(STRANGER, 'external')])
  })

  test('counts for nothing by any other way, and disturbs nobody there', async () => {
    const ways = [`Authorization: Bearer ${main()}`, `x-regctl-token: Bearer ${main()}`]
    const post = (url: string, header: string) => asked(`-X POST -H '${header}' ${url}`)
    const upload = (base: string, repository: string) => `${base}/v2/${repository}/blobs/uploads/`
    const by = async (home: string, url: string) =>
      Promise.all(ways.map(async (header) => (await inside(home, 'external', post(url, header))).stdout))
    const local = 'http://localhost:5000'
    expect(await by(BUILDER, upload(local, 'team/app'))).toEqual(['403', '403'])
    expect(await by(BUILDER, upload(local, 'example/app'))).toEqual(['202', '202'])
    expect(await by(STRANGER, upload(SERVICE, 'team/app'))).toEqual(['403', '403'])
    // A token for somebody else, as a client that has one sends it to every registry.
    const foreign = ['Authorization: Bearer nonsense', `Authorization: Bearer ${corp.token('x', 'y')}`]
    for (const header of foreign)
      expect((await inside(BUILDER, 'external', post(upload(local, 'example/app'), header))).stdout).toBe('202')
    for (const { name } of lab?.nodes ?? []) {
      const node = async (...args: readonly string[]) =>
        (await onNode(name, ['curl', '-s', '-m', '10', '-o', '/dev/null', '-w', '%{http_code}', ...args]))?.stdout
      expect(
        await Promise.all(ways.map((header) => node('-X', 'POST', '-H', header, upload(local, 'team/app')))),
      ).toEqual(['403', '403'])
      expect(await node('-H', foreign[0] ?? '', `${local}/v2/`)).toBe('200')
    }
  })
})

describe('somebody else', () => {
  test('can make no Gateway that might attach', async () => {
    const attacks = attachments(STRANGER)
    const fine = openGateway(STRANGER, 'fine', { istio: 'ingressgateway' })
    const said = await refused(...Object.values(attacks), fine)
    expect(Object.keys(said).sort()).toEqual(Object.keys(attacks).sort())
    expect(said.label).toContain(`could attach to the registry's exposing gateway (namespace ${EXPOSE})`)
  })

  test('gets nowhere by routes for our Gateway', async () => {
    const [host = '', other] = [outside.host.split(':')[0], 'other.e2e.example']
    const secret = { path: '/v2/team/app/manifests/1' }
    await apply(...(await foreignRoutes(STRANGER, [host, other], { authority: host, uri: secret.path })))
    try {
      for (let round = 0; round < 5; round++) {
        await pause(250)
        expect(
          await outside.statuses({
            // Exposed, and not there.
            public: { path: '/v2/public/app/manifests/1' },
            secret,
            pushed: uploadTo('public/app'),
            other: { ...secret, headers: { host: other } },
          }),
        ).toEqual({ public: 404, secret: 401, pushed: 401, other: 404 })
      }
    } finally {
      await kubectlOk(['delete', 'virtualservice,destinationrule', '--all', '-n', STRANGER])
    }
  })
})

slow('docs/external.md: its commands run, and its workflow pushes', async () => {
  const own = {
    'ORG/REPO': 'acme/documented',
    'https://token.actions.githubusercontent.com': served.issuer.name,
    'registry.example.org': outside.host,
    'https://issuer.corp.example/keys': `${served.issuer.name}/keys`,
    'https://issuer.corp.example': corp.name,
    'keys.json': keys,
  }
  const [grant, list, revoke, ...others] = commands(own)
  await regctlOk(grant ?? [])
  expect(await regctlOk(list ?? [])).toContain(DOCUMENTED)
  const image = ['crane', 'append', '-f', await outside.layer(), '-t', 'app', '-o', 'image.tar']
  expect(await outside.client(image)).toMatchObject({ exitCode: 0 })
  const env = {
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of the job',
    ACTIONS_ID_TOKEN_REQUEST_URL: `${served.issuer.name}/token?api-version=2`,
    REGISTRY: outside.host,
    GITHUB_SHA: `${Date.now()}`,
  }
  const push = () => outside.client(['bash', '-ec', pushStep(own)], undefined, env)
  expect(await push()).toMatchObject({ exitCode: 0 })
  for (const other of others) await regctlOk(other)
  expect(others).toHaveLength(2)
  await regctlOk(revoke ?? [])
  expect((await push()).stderr).toMatch(/403 Forbidden|denied/i)
  await regctlOk(['revoke-external', 'ci', '--all'])
})

describe('grants', () => {
  slow('are of several issuers, by keys that were handed over too, and are listed', async () => {
    await grantExternal(MAIN, 'shop', '--exact', ...flags(corp, 'corp'), '--jwks', keys)
    const token = (issuer: Issuer, audience: string) => issuer.token(MAIN, audience)
    expect(
      await outside.statuses({
        own: uploadTo('shop', token(corp, 'corp')),
        below: uploadTo('shop/app', token(corp, 'corp')),
        "the other's audience": uploadTo('shop', token(corp, AUDIENCE)),
        "the other issuer's": uploadTo('shop', main()),
        'and the other way': uploadTo('team/app', token(corp, 'corp')),
        'still there': uploadTo('team/app', main()),
      }),
    ).toEqual({
      own: 202,
      below: 403,
      // By either issuer's word: not one of its audiences, or not one of its tokens.
      "the other's audience": expect.toBeOneOf([401, 403]),
      "the other issuer's": 403,
      'and the other way': 403,
      'still there': 202,
    })
    const told = JSON.parse(await regctlOk(['grants', '--json'])) as { external: object[] }
    expect(told.external).toContainEqual({
      issuer: corp.name,
      subject: MAIN,
      audience: 'corp',
      repository: 'shop',
      exact: true,
    })
    expect(await regctlOk(['grants'])).toContain('shop')
    expect(JSON.parse((await regctl(['status', '--json'])).stdout)).toMatchObject({ external: told.external })
  })

  slow('at once lose nothing, and one that cannot be proven is taken back', async () => {
    const nobody = new Issuer('http://172.30.0.1:1')
    const nowhere = ['grant-external', MAIN, 'lost', ...flags(nobody), '--timeout', '6s']
    const [failed] = await Promise.all([
      regctl(nowhere),
      grantExternal(OTHER, 'other', ...flags(served.issuer)),
      grantExternal(OTHER, 'third', ...flags(served.issuer, 'else')),
      regctlOk(['revoke-external', MAIN, 'shop']),
    ])
    expect([failed.exitCode, failed.stderr]).toEqual([5, expect.stringContaining('istiod got no keys from')])
    expect(failed.stderr).toContain('--jwks FILE')
    expect(await regctlOk(['grants'])).not.toContain('lost')
    expect(
      await outside.statuses({
        first: uploadTo('other/app', main({ sub: OTHER })),
        second: uploadTo('third/app', main({ sub: OTHER, aud: 'else' })),
        'by the audience of the other': uploadTo('third/app', main({ sub: OTHER })),
        kept: uploadTo('team/app', main()),
        revoked: uploadTo('shop', corp.token(MAIN, 'corp')),
      }),
    ).toEqual({ first: 202, second: 202, 'by the audience of the other': 403, kept: 202, revoked: 401 })
    const again = await grantExternal(OTHER, 'other', ...flags(served.issuer), '--json')
    expect(JSON.parse(again)).toMatchObject({ changed: false })
  })

  test('need public keys', async () => {
    const grant = ['grant-external', MAIN, 'lost', ...flags(corp), '--jwks']
    await writeFile(join(directory, 'secret.json'), '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}')
    const tried = ['none.json', 'secret.json'].map((file) => regctl([...grant, join(directory, file)]))
    expect((await Promise.all(tried)).map(({ exitCode }) => exitCode)).toEqual([3, 2])
  })

  test('end by a revoke, while the token is good still', async () => {
    const token = main()
    await grantExternal(OTHER, 'other', ...flags(served.issuer))
    expect(await outside.ask(uploadTo('team/app', token))).toBe(202)
    await regctlOk(['revoke-external', MAIN, 'team'])
    // Its issuer stays for the other subject, so the token itself is fine.
    expect(await outside.ask(uploadTo('team/app', token))).toBe(403)
    expect(await regctlOk(['revoke-external', MAIN, 'team'])).toContain('Nothing to revoke')
    await regctlOk(['revoke-external', OTHER, '--all'])
    const left = ['get', 'requestauthentications,authorizationpolicies,envoyfilters', '-A', '-l']
    expect(await kubectlOk([...left, 'regctl.dev/external', '-o', 'name'])).toBe('')
    expect(await outside.ask(uploadTo('team/app', token))).toBe(403)
    expect(await outside.ask({ path: '/v2/' })).toBe(200)
  })
})

const asked = (request: string): string => `curl -s -m 10 -o /dev/null -w '%{http_code}' ${request}`
