import { Flags } from '@oclif/core'
import type { OpenPortResult } from '../app/open-ports/open.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import { openPortFlags, portArg, portRequest } from '../flags/open-port.ts'

export default class OpenPort extends RegctlCommand {
  static override summary =
    'Open a port of the nodes for an Istio gateway of its own: ingress or egress without a load balancer.'
  static override description =
    'Prints, as YAML with comments, what DNS and the firewall need and a Gateway to begin with. What is not given stays as it is when the port is open already. The gateway may not reach the registry.'
  static override examples = [
    { description: 'HTTPS on every node.', command: '<%= config.bin %> open-port 443 --name web' },
    {
      description: 'For Gateways of two teams, on the nodes that are for it.',
      command: '<%= config.bin %> open-port 443 --name web --gateways-from team-a,team-b --nodes ingress=true',
    },
    {
      description: 'A way out that only processes of the node itself can use.',
      command: '<%= config.bin %> open-port 3128 --name out --address loopback',
    },
  ]
  static override args = { port: portArg({ description: 'Port of the nodes.', required: true }) }
  static override flags = {
    ...openPortFlags,
    timeout: Flags.string({ summary: 'How long to wait for the gateway.', default: '2m', helpValue: 'DURATION' }),
  }

  async run(): Promise<OpenPortResult> {
    const { args, flags } = await this.parse(OpenPort)
    const timeoutMs = milliseconds(flags.timeout)
    const request = portRequest(args.port, flags)
    const [{ checkRequest, openPort }, { openPortText }] = await Promise.all([
      import('../app/open-ports/open.ts'),
      import('../ui/open-port-text.ts'),
    ])
    checkRequest(request, flags.namespace)
    const result = await openPort(await this.openPortPorts(flags), flags.namespace, request, timeoutMs)
    this.log(openPortText(result))
    return result
  }
}
