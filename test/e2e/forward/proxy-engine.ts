import type { Docker } from './docker.ts'
import { startDocker } from './docker.ts'
import { importProxyImage } from './proxy-image.ts'

/** What `regctl dev-forward --mode proxy` needs of a machine. */
export type ProxyEngine = AsyncDisposable & { readonly docker: Docker; readonly flags: readonly string[] }

/** A real dockerd that has the lab's proxy image; whatever is run until it is disposed finds it. */
export async function proxyEngine(): Promise<ProxyEngine> {
  const { DOCKER_HOST, PATH } = process.env
  const docker = await startDocker()
  const flags = ['--mode', 'proxy', '--proxy-image', await importProxyImage(docker)]
  Object.assign(process.env, { DOCKER_HOST: docker.host, PATH: `${docker.path}:${PATH}` })
  return {
    docker,
    flags,
    [Symbol.asyncDispose]: async () => {
      if (DOCKER_HOST === undefined) delete process.env.DOCKER_HOST
      else process.env.DOCKER_HOST = DOCKER_HOST
      process.env.PATH = PATH
      await docker[Symbol.asyncDispose]()
    },
  }
}
