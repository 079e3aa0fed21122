import { Args, Flags } from '@oclif/core'
import type { Asked } from '../app/expose/expose.ts'
import { hostName } from '../domain/host.ts'
import { exposedRepository } from '../domain/policy/exposure.ts'
import { namespaceName, serviceAccountName } from '../domain/policy/identity.ts'
import { INGRESS_TYPES } from '../domain/settings.ts'
import { usageError } from '../errors.ts'

export const hostArg = Args.string({
  description: 'DNS name, such as registry.example.org.',
  required: true,
  parse: async (text) => hostName(text),
})

export const exposeFlags = {
  tls: Flags.string({
    summary:
      "Secret with the host's certificate, as cert-manager makes it, or istio for clients of the mesh; what it was where left out.",
    helpValue: 'SECRET|istio',
  }),
  gateway: Flags.string({
    summary: "Somebody else's Gateway instead: read only, and as open as it is.",
    helpValue: 'NAMESPACE/NAME',
    exclusive: ['type'],
  }),
  type: Flags.option({
    options: INGRESS_TYPES,
    summary: 'How the gateway of all exposures is reached (LoadBalancer, or what it was).',
  })(),
}

type Flagged = {
  readonly tls?: string | undefined
  readonly gateway?: string | undefined
  readonly type?: Asked['type'] | undefined
}

/** `argv` is all arguments: oclif has no list of them. */
export function askedExposure(argv: readonly string[], { tls, gateway, type }: Flagged): Asked {
  const [host = '', ...repositories] = argv
  return {
    host,
    repositories: repositories.map(exposedRepository),
    ...(tls === undefined ? {} : { tls: secretName(tls) }),
    ...(gateway === undefined ? {} : { gateway: gatewayName(gateway) }),
    ...(type === undefined ? {} : { type }),
  }
}

function gatewayName(text: string): string {
  const [namespace = '', name = '', ...more] = text.split('/')
  try {
    if (more.length === 0) return `${namespaceName(namespace)}/${serviceAccountName(name)}`
  } catch {}
  throw usageError('INVALID_GATEWAY', `"${text}" is not a Gateway such as istio-ingress/main`)
}

function secretName(text: string): string {
  try {
    return serviceAccountName(text)
  } catch {
    throw usageError('INVALID_SECRET', `"${text}" is not the name of a Secret`)
  }
}
