import type { ExternalGrant } from '../../../src/domain/external/grant.ts'
import type { Exposure } from '../../../src/domain/policy/exposure.ts'

export const GITHUB = 'https://token.actions.githubusercontent.com'
export const GITLAB = 'https://gitlab.example.org'
export const MAIN = 'repo:acme/app:ref:refs/heads/main'
export const GATEWAY = 'cluster.local/ns/kube-registry-expose/sa/registry-expose'

/** Issuer, subject, audience and repository of a grant, in short. */
export const external = (
  repository: string,
  { issuer = GITHUB, subject = MAIN, audience = 'registry', exact = false }: Partial<ExternalGrant> = {},
): ExternalGrant => ({ issuer, subject, audience, repository, exact })

export const exposed = (host: string, ...repositories: readonly string[]): Exposure => ({
  host,
  repositories,
  way: 'secret',
  secret: 'cert',
  principals: [GATEWAY],
})

export const shared = (host: string): Exposure => ({
  host,
  repositories: [],
  way: 'shared',
  gateway: 'web/gateway',
  principals: ['cluster.local/ns/web/sa/gateway'],
})
