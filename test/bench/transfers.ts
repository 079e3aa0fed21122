import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { labInfo } from '../lab/lab.ts'
import { compare, type Series } from './series.ts'

const BYTES = 200 * 1024 * 1024
const REPOSITORY = 'regctl-bench/blob'

/** Pulling one large blob: through the node proxy, as kubelets do, against `kubectl port-forward` to the registry. */
export async function transferRates(rounds: number): Promise<readonly Series[]> {
  const lab = await labInfo()
  const node = lab?.nodes[0]
  if (lab === undefined || node === undefined || process.env.KUBECONFIG === undefined) {
    process.stderr.write('transfers left out: they need the lab (npm run lab -- up) and KUBECONFIG set to it\n')
    return []
  }
  const directory = await mkdtemp(join(tmpdir(), 'regctl-bench-'))
  const forward = execa('kubectl', ['port-forward', '-n', 'kube-registry', 'deploy/kube-registry', '15500:5000'], {
    reject: false,
  })
  try {
    await new Promise<void>((resolve) => forward.stdout.once('data', () => resolve()))
    const blob = await upload(join(directory, 'blob'), 'http://127.0.0.1:15500')
    const fetchBlob = async (prefix: readonly string[], base: string) => {
      const file = join(directory, 'out')
      const [command = '', ...args] = [...prefix, 'curl', '-sSf', '-o', file, `${base}/v2/${REPOSITORY}/blobs/${blob}`]
      await execa(command, args)
      const found = `sha256:${createHash('sha256')
        .update(await readFile(file))
        .digest('hex')}`
      if (found !== blob) throw new Error(`the blob came back as ${found}`)
    }
    return await compare(rounds, { name: 'kubectl port-forward', run: () => fetchBlob([], 'http://127.0.0.1:15500') }, [
      {
        name: `time to pull ${BYTES / 2 ** 20} MiB through the node proxy`,
        run: () => fetchBlob(node.exec, 'http://localhost:5000'),
      },
    ])
  } finally {
    forward.kill()
    await rm(directory, { recursive: true, force: true })
  }
}

async function upload(file: string, base: string): Promise<string> {
  const content = randomBytes(BYTES)
  await writeFile(file, content)
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
  const started = await fetch(`${base}/v2/${REPOSITORY}/blobs/uploads/`, { method: 'POST' })
  const location = new URL(started.headers.get('location') ?? '', base)
  location.searchParams.set('digest', digest)
  await execa('curl', [
    '-sSf',
    '-X',
    'PUT',
    '-H',
    'content-type: application/octet-stream',
    '--data-binary',
    `@${file}`,
    location.href,
  ])
  return digest
}
