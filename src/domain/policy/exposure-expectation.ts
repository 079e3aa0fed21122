import { developerPort, type Installation, servingPorts } from '../installation.ts'
import type { Expectation } from './expectation.ts'
import { type Exposure, exposes } from './exposure.ts'

/** In no exposure: a name that is no repository's. */
const PROBE = 'REGCTL-PROBE'

/** What everybody gets by the host of an exposure, and what nobody does. */
export function exposureExpectations(
  at: Installation,
  trustDomain: string,
  exposures: readonly Exposure[],
): readonly Expectation[] {
  return exposures.flatMap((exposure) => {
    const { host, repositories } = exposure
    const expect = asked(at, trustDomain, exposure)
    const named = repositories.map((one) => one.replace(/\/\*$/, ''))
    const known = named.length === 0 ? [PROBE] : named
    return [
      ...expect('GET', '/v2/', true, 'the ping'),
      ...expect('GET', '/v2/_catalog', false, 'no catalog'),
      ...expect('GET', `/v2/${PROBE}/manifests/1`, repositories.length === 0, 'what is not exposed'),
      ...expect('GET', `/v2/${known[0]}/manifests/1`, false, 'nothing by another host', `${PROBE}.${host}`),
      ...known.flatMap((one) => [
        ...expect('GET', `/v2/${one}/manifests/1`, true, 'read'),
        ...expect('GET', `/v2/${one}/tags/list`, true, 'its tags'),
        ...expect('GET', `/v2/${one}/${PROBE}/manifests/1`, exposes(exposure, `${one}/${PROBE}`), 'what is below'),
        ...expect('PUT', `/v2/${one}/manifests/1`, false, 'no push'),
        ...expect('POST', `/v2/${one}/blobs/uploads/`, false, 'no upload'),
      ]),
      ...expect('GET', '/v2/', false, "nothing by the developers' port", host, developerPort(at)),
    ].filter(({ request: { port } }) => servingPorts(at).includes(port))
  })
}

/** What was exposed before and no longer is. */
export function narrowedExpectations(
  at: Installation,
  trustDomain: string,
  before: Exposure,
  now: readonly Exposure[],
): readonly Expectation[] {
  const expect = asked(at, trustDomain, before)
  const same = now.find(({ host }) => host === before.host)
  const isOpen = (repository: string) => same !== undefined && exposes(same, repository)
  const gone = before.principals.filter((principal) => same?.principals.includes(principal) !== true)
  const named = before.repositories.length === 0 ? [PROBE] : before.repositories.map((one) => one.replace(/\/\*$/, ''))
  return [
    ...asked(at, trustDomain, { ...before, principals: gone })('GET', '/v2/', false, 'no longer'),
    ...named
      .filter((one) => !isOpen(one))
      .flatMap((one) => expect('GET', `/v2/${one}/manifests/1`, false, 'no longer')),
  ]
}

/** The same question of each gateway that serves the exposure. */
const asked =
  (at: Installation, trustDomain: string, { host: exposed, principals }: Exposure) =>
  (method: string, path: string, allowed: boolean, what: string, host = exposed, port = at.port) =>
    principals.map(
      (principal): Expectation => ({
        request: {
          principal: `spiffe://${principal.replace(/^cluster\.local/, trustDomain)}`,
          method,
          path,
          host,
          port,
        },
        allowed,
        why: `${exposed}: ${what}`,
      }),
    )
