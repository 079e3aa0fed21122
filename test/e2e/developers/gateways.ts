import { REGISTRY } from '../attacks/kit.ts'
import { eventually, kubectl } from '../cluster.ts'

/** A Gateway that opens the builders' port of the registry, by whatever gateway it gets hold of. */
export const passAll = (
  namespace: string,
  name: string,
  selector?: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>> = {},
  hosts: readonly string[] = [`${REGISTRY}.${REGISTRY}.svc.cluster.local`],
): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  metadata: { namespace, name, annotations },
  spec: {
    ...(selector === undefined ? {} : { selector }),
    servers: [{ port: { number: 15_443, name: 'tls', protocol: 'TLS' }, tls: { mode: 'AUTO_PASSTHROUGH' }, hosts }],
  },
})

/** Which of these the API server would not take, with its words. */
export async function refused(...gateways: readonly object[]): Promise<Readonly<Record<string, string>>> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: gateways })
  const { stderr } = await kubectl(['apply', '--server-side', '--force-conflicts', '--dry-run=server', '-f', '-'], {
    input: list,
  })
  const lines = stderr.split('\n').flatMap((line) => {
    // kubectl words the refusal of a single object in another way.
    const [, name, why = ''] = /\bgateways\S* "([^"]+)" is (?:forbidden|invalid): (.*)$/.exec(line) ?? []
    return name === undefined ? [] : [[name, why] as const]
  })
  return Object.fromEntries(lines)
}

/** As before regctl's rule was there, or on a cluster that has none. */
export async function withoutAdmission(binding: string, gateway: object): Promise<void> {
  await kubectl(['delete', 'validatingadmissionpolicybinding', binding])
  await eventually(async () => {
    const { exitCode, stderr } = await kubectl(['apply', '-f', '-'], { input: JSON.stringify(gateway) })
    if (exitCode !== 0) throw new Error(stderr)
  })
}
