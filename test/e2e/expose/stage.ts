import { apply, inside, REGISTRY } from '../attacks/kit.ts'
import { builder, getJson } from '../clients.ts'
import { run } from '../cluster.ts'
import { craneScript } from '../matrix/workstation.ts'

export const EXPOSE = `${REGISTRY}-expose`

/** Where people put a certificate before the first exposure: as the refusal says. */
export const ensureHome = (): Promise<string> =>
  apply({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: EXPOSE, labels: { 'regctl.dev/installation': REGISTRY } },
  })

type Service = { readonly spec: { readonly ports: readonly { readonly nodePort: number }[] } }

/** The gateway's port of every node. */
export async function nodePort(): Promise<number> {
  const service = await getJson<Service>('service', '-n', EXPOSE, 'registry-expose')
  return service.spec.ports[0]?.nodePort ?? 0
}

/** An image that container engines can unpack, pushed by the builder of the story; gives its digest. */
export async function pushImage(repository: string): Promise<string> {
  const image = `localhost:5000/${repository}:1`
  const script = `set -e; cd $(mktemp -d); echo ${repository} >file; tar -cf layer.tar file
{ ${craneScript('layer.tar', image)}; } >/dev/null 2>&1
crane digest ${image}`
  const { stdout, stderr, exitCode } = await inside(builder.namespace, builder.name, script)
  if (exitCode !== 0) throw new Error(`push of ${image}: ${stderr}`)
  return stdout.trim()
}

/** Who asks: by which name, at which place, trusting whom. */
export type Caller = {
  readonly host: string
  readonly ip: string
  readonly port: number
  readonly roots: string
}

/** Without it the registry knows of no OCI manifest. */
const OCI = [
  '-H',
  'accept: application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, */*',
]

/** The status of each request, by its words; `000` where no TLS or no answer came. */
export async function curls(
  { host, ip, port, roots }: Caller,
  asks: Readonly<Record<string, readonly string[]>>,
): Promise<Readonly<Record<string, string>>> {
  const codes = await Promise.all(
    Object.values(asks).map(async ([path = '', ...flags]) => {
      const url = `https://${host}:${port}${path}`
      const fixed = [
        '-s',
        '-m',
        '10',
        '--path-as-is',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        '--cacert',
        roots,
        ...OCI,
      ]
      return (await run(['curl', ...fixed, '--resolve', `${host}:${port}:${ip}`, ...flags, url])).stdout
    }),
  )
  return Object.fromEntries(Object.keys(asks).map((name, index) => [name, codes[index] ?? '']))
}
