import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A `docker` whose containers are processes: a small HTTP proxy that reads the files Envoy reads. */
const PROGRAM = (directory: string) => `#!${process.execPath}
const fs = require('node:fs'), http = require('node:http'), { join } = require('node:path')
const directory = ${JSON.stringify(directory)}, args = process.argv.slice(2)
const flag = (name) => fs.existsSync(join(directory, name))
const containers = join(directory, 'containers')
const end = (code, out, err) => { if (out) console.log(out); if (err) console.error(err); process.exit(code) }
const after = (name, from = 0) => args[args.indexOf(name, from) + 1]
fs.appendFileSync(join(directory, 'log'), args.join(' ') + '\\n')
switch (args[0] === 'image' ? 'image inspect' : args[0]) {
  case 'version': end(0, JSON.stringify({ Client: { Os: 'linux' }, Server: { Os: 'linux' } }))
  case 'context': end(0, 'unix:///var/run/docker.sock')
  case 'info': end(0, '["name=seccomp"]')
  case 'image inspect': end(flag('no-image') ? 1 : 0)
  case 'pull': end(1, '', 'pull access denied')
  case 'ps': end(0, fs.readdirSync(containers).join('\\n'))
  case 'inspect': end(0, args.slice(3).map((id) => id + ' ' + JSON.parse(fs.readFileSync(join(containers, id))).owner).join('\\n'))
  case 'rm':
    for (const name of args.slice(2)) {
      try { process.kill(JSON.parse(fs.readFileSync(join(containers, name))).pid, 'SIGKILL') } catch {}
      fs.rmSync(join(containers, name), { force: true })
    }
    end(0)
  case 'run': {
    const name = after('--name'), owner = after('--label').split('=')[1]
    const [config, state] = [after('--volume'), after('--volume', args.indexOf('--volume') + 1)].map((one) => one.split(':')[0])
    fs.writeFileSync(join(containers, name), JSON.stringify({ owner, pid: process.pid }))
    const gone = (code) => { fs.rmSync(join(containers, name), { force: true }); process.exit(code) }
    if (flag('broken')) { console.error("[2026][1][critical][main] [server.cc:1] error initializing config"); gone(1) }
    process.on('SIGTERM', () => gone(0))
    const read = (file) => JSON.parse(fs.readFileSync(join(config, file)))
    const counters = { 'http.registry.downstream_cx_total': 0, 'cluster.registry.upstream_cx_connect_fail': 0 }
    const serve = (request, response) => {
      if (request.url === '/.regctl/forward')
        return void http.get({ socketPath: join(config, 'report.sock'), path: '/' }, (answer) => answer.pipe(response))
      counters['http.registry.downstream_cx_total'] += 1
      const { address, port_value } = read('clusters.json').resources[0].load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address
      if (flag('fail')) counters['cluster.registry.upstream_cx_connect_fail'] += 1
      response.end(JSON.stringify({ gateway: address + ':' + port_value, secrets: read('identity.json').resources }))
    }
    for (const { address } of read('envoy.json').static_resources.listeners.filter((one) => one.address))
      http.createServer(serve).listen(address.socket_address.port_value, address.socket_address.address)
    fs.rmSync(join(state, 'admin.sock'), { force: true })
    http.createServer((request, response) => response.end(request.url === '/ready' ? 'LIVE' : JSON.stringify({
      stats: Object.entries(counters).map(([name, value]) => ({ name, value })),
    }))).listen(join(state, 'admin.sock'))
  }
}
`

export type FakeDocker = AsyncDisposable & {
  readonly directory: string
  /** How it is: with `no-image`, with a `broken` one, or with connections that `fail`. */
  readonly be: (how: string, is?: boolean) => Promise<void>
  /** Names and processes of its containers. */
  readonly containers: () => Promise<readonly { readonly name: string; readonly pid: number; readonly owner: string }[]>
  readonly log: () => Promise<string>
}

/** In front on the PATH until disposed. */
export async function fakeDocker(): Promise<FakeDocker> {
  const directory = await mkdtemp(join(tmpdir(), 'regctl-docker-'))
  const containers = join(directory, 'containers')
  await mkdir(containers)
  await writeFile(join(directory, 'docker'), PROGRAM(directory))
  await chmod(join(directory, 'docker'), 0o755)
  const { PATH } = process.env
  process.env.PATH = `${directory}:${PATH}`
  return {
    directory,
    be: (how, is = true) => (is ? writeFile(join(directory, how), '') : rm(join(directory, how), { force: true })),
    containers: async () => {
      const names = await readdir(containers)
      return Promise.all(
        names.map(async (name) => ({ name, ...JSON.parse(await readFile(join(containers, name), 'utf8')) })),
      )
    },
    log: () => readFile(join(directory, 'log'), 'utf8').catch(() => ''),
    [Symbol.asyncDispose]: async () => {
      process.env.PATH = PATH
      await rm(directory, { recursive: true, force: true })
    },
  }
}
