import { afterAll, beforeAll, expect, test } from 'vitest'
import { REGISTRY } from './attacks/kit.ts'
import { kubectl, kubectlOk, regctlOk } from './cluster.ts'
import { moreRights } from './developers/rights.ts'
import { grantTo, INGRESS, NOBODY, stageOf } from './developers/stage.ts'

const TEAM = 'e2e-team-down'
const USER = 'ada-down@example.org'
const ADA = ['--as', USER]

beforeAll(async () => {
  await stageOf(USER, TEAM)
  await grantTo(TEAM, `user:${USER}`, 'other', '--allow-gateway-forward')
})

afterAll(async () => {
  await kubectlOk(['delete', 'namespace', '--ignore-not-found', '--wait=false', TEAM])
})

test('down leaves nothing of it, nor of what developers were given', async () => {
  await regctlOk(['down'])
  const kinds = [
    'namespaces,serviceaccounts,roles,rolebindings,configmaps,services,deployments,pods',
    'validatingadmissionpolicies,validatingadmissionpolicybindings',
    'gateways.networking.istio.io,virtualservices,destinationrules,authorizationpolicies,envoyfilters,sidecars',
  ]
  const selector = ['-A', '-l', `regctl.dev/installation=${REGISTRY}`, '-o', 'name']
  const left = await kubectlOk(['get', kinds.join(), ...selector])
  expect(left.split('\n').filter((name) => name !== '')).toEqual([`namespace/${REGISTRY}`])
  expect(await Promise.all([TEAM, REGISTRY].map((place) => moreRights(place, ADA, NOBODY)))).toEqual([[], []])
  expect((await kubectl(['get', 'namespace', INGRESS])).exitCode).toBe(1)
})
