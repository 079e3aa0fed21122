import { Args, Flags } from '@oclif/core'
import { type PortRequest, portAddress } from '../domain/open-ports/port-set.ts'
import { namespaceName } from '../domain/policy/identity.ts'
import { usageError } from '../errors.ts'

export const portArg = Args.custom<number>({
  parse: async (text) => {
    if (/^\d+$/.test(text)) return Number(text)
    throw usageError('INVALID_PORT', `port "${text}" is not a number from 1 to 65535`)
  },
})

/** What is not given stays as it is. */
export const openPortFlags = {
  name: Flags.string({ summary: 'Name of the gateway; ports of one name share its pods (PORT).', helpValue: 'NAME' }),
  'target-port': Flags.integer({
    summary: "Port of the gateway's pods (PORT, or PORT + 8000 below 1024).",
    helpValue: 'PORT',
  }),
  nodes: Flags.string({
    summary: "Label selector of the nodes, tainted ones too; '' for all without taints (the default).",
    helpValue: 'SELECTOR',
  }),
  address: Flags.string({
    summary: 'Every address of a node, or its 127.0.0.1 alone (all).',
    options: ['all', 'loopback'],
  }),
  'gateways-from': Flags.string({
    summary: "Namespaces whose Gateways may attach, besides its own; '' for none.",
    helpValue: 'NS,…',
  }),
}

type Parsed = {
  readonly name?: string | undefined
  readonly 'target-port'?: number | undefined
  readonly nodes?: string | undefined
  readonly address?: string | undefined
  readonly 'gateways-from'?: string | undefined
}

export function portRequest(port: number, flags: Parsed): PortRequest {
  const { name, nodes, address } = flags
  const targetPort = flags['target-port']
  const from = flags['gateways-from']
  return {
    port,
    ...(name === undefined ? {} : { name }),
    ...(targetPort === undefined ? {} : { targetPort }),
    ...(address === undefined ? {} : { address: portAddress(address) }),
    ...(nodes === undefined ? {} : { nodes: nodes.trim() }),
    ...(from === undefined ? {} : { gatewaysFrom: namespaces(from) }),
  }
}

const namespaces = (text: string): readonly string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .map(namespaceName)
