import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apply, namespace, REGISTRY } from './attacks/kit.ts'
import { kubectlOk, regctlOk } from './cluster.ts'
import { ask, TYPES } from './developers/istiod.ts'
import { ADA, developerOf } from './developers/stage.ts'
import { accountIdentity, call, certify, type Identity, tokenOf, type Way } from './developers/workstation.ts'

const TEAM = 'e2e-team-istiod'
const OTHER = 'e2e-other-istiod'

let way: Way
let account: string
let ada: Identity

beforeAll(async () => {
  ;({ way, account, ada } = await developerOf(TEAM, OTHER))
})

test('explore', async () => {
  for (const [what, node, type, ...names] of [
    ['nobody', { namespace: TEAM }, TYPES.clusters],
    ['sidecar', { namespace: TEAM }, TYPES.clusters],
    ['router', { namespace: TEAM, kind: 'router' }, TYPES.listeners],
    [
      'router as ours',
      { namespace: TEAM, kind: 'router', labels: { app: 'registry-ingress', istio: 'registry-ingress' } },
      TYPES.listeners,
    ],
    ['other ns', { namespace: OTHER }, TYPES.clusters],
    ['syncz', { namespace: TEAM }, TYPES.debug, 'syncz'],
    ['config_dump', { namespace: TEAM }, TYPES.debug, 'config_dump?proxyID=registry-ingress.kube-registry-ingress'],
    ['ndsz', { namespace: TEAM }, TYPES.debug, 'ndsz?proxyID=x'],
    ['configz', { namespace: TEAM }, TYPES.debug, 'configz'],
    [
      'secret',
      { namespace: TEAM, kind: 'router' },
      TYPES.secrets,
      'kubernetes://theirs',
      `kubernetes://${OTHER}/theirs`,
      'kubernetes://istio-system/cacerts',
    ],
    ['cacert', { namespace: TEAM, kind: 'router' }, TYPES.secrets, 'kubernetes://theirs-cacert'],
  ] as const) {
    const answer = await ask(way, what === 'nobody' ? {} : { identity: ada }, node as never, type, ...names)
    console.log(
      what,
      answer.status,
      answer.message,
      answer.resources?.length,
      answer.resources
        ?.map((one) =>
          one
            .toString('latin1')
            .replaceAll(/[^ -~]+/g, ' ')
            .slice(0, 300),
        )
        .slice(0, 60)
        .join('\n   '),
    )
  }
  const again = await certify(way, ada)
  console.log('renewed', again.certificate.length)
  await regctlOk(['revoke', TEAM, '--all'])
  console.log('renewed after revoke', (await certify(way, ada)).certificate.length)
  console.log(
    'ads after revoke',
    (await ask(way, { identity: ada }, { namespace: TEAM }, TYPES.clusters)).resources?.length,
  )
})
