import { spawn } from 'node:child_process'
import { kubectlOk } from '../cluster.ts'
import type { Way } from '../developers/workstation.ts'

/** istiod as from inside the cluster, for identities that somebody has who is outside now. */
export async function istiod(): Promise<AsyncDisposable & { readonly way: Way }> {
  const root = ['get', 'configmap', 'istio-ca-root-cert', '-n', 'default', '-o', 'jsonpath={.data.root-cert\\.pem}']
  const roots = await kubectlOk(root)
  const argv = ['port-forward', '-n', 'istio-system', 'service/istiod', ':15012']
  const child = spawn('kubectl', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<number>((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`kubectl port-forward ended with ${code}`)))
    child.stdout.on('data', (text: Buffer) => {
      const [, found] = /127\.0\.0\.1:(\d+)/.exec(text.toString()) ?? []
      if (found !== undefined) resolve(Number(found))
    })
  })
  const way = { host: '127.0.0.1', port, roots, authority: 'istiod.istio-system.svc', addresses: [] }
  return { way, [Symbol.asyncDispose]: async () => void child.kill() }
}
