import { describe, expect, test } from 'vitest'
import { clientEnvironment } from '../../../src/app/clients/environment.ts'
import { environmentText } from '../../../src/ui/environment-text.ts'
import { installedCluster, namespace } from '../../fakes/cluster.ts'
import { failure } from '../failure.ts'
import { grantNow } from '../grant/granted.ts'

async function cluster(...grants: readonly string[]) {
  const made = await installedCluster()
  for (const name of ['ci', 'web']) made.store.put(namespace(name))
  for (const one of grants) await grantNow(made, one)
  return made
}

const environment = async (grants: readonly string[], repository?: string) =>
  clientEnvironment((await cluster(...grants)).kube, 'kube-registry', repository)

describe('where images go', () => {
  test.each<readonly [string, readonly string[], string | undefined, string]>([
    ['the granted repository', ['ci example'], undefined, 'localhost:5000/example'],
    ['two namespaces of one repository', ['ci example', 'web example'], undefined, 'localhost:5000/example'],
    ['the one that is named', ['ci example', 'web web'], 'web/app', 'localhost:5000/web/app'],
    ['no grant', [], undefined, 'localhost:5000'],
    ['an exact grant, below which nothing goes', ['ci example exact'], undefined, 'localhost:5000'],
    ['one to read', ['ci example read'], undefined, 'localhost:5000'],
  ])('%s', async (_name, grants, repository, base) => {
    expect((await environment(grants, repository)).variables).toEqual({
      REGCTL_REGISTRY: 'localhost:5000',
      KO_DOCKER_REPO: base,
      SKAFFOLD_DEFAULT_REPO: base,
      SKAFFOLD_INSECURE_REGISTRY: 'localhost:5000',
    })
  })

  test('several: which one is asked', async () => {
    await expect(environment(['ci example', 'web web'])).rejects.toThrow(failure('WHICH_REPOSITORY', 2))
  })
})

describe('the proxies of Jobs', () => {
  const noteOf = async (kind: 'native' | 'classic', version = 'v1.36.0') => {
    const made = await cluster('ci example')
    made.kube.gitVersion = version
    const admit = made.store.admit
    made.store.admit = (object) => {
      if (object.kind !== 'Pod' || object.metadata.namespace !== 'ci') return admit(object)
      const spec = object.spec as { containers: readonly object[]; initContainers?: readonly object[] }
      const proxy = { name: 'istio-proxy', ...(kind === 'native' ? { restartPolicy: 'Always' } : {}) }
      if (kind === 'native') return { ...object, spec: { ...spec, initContainers: [proxy] } }
      return { ...object, spec: { ...spec, containers: [...spec.containers, proxy] } }
    }
    const { notes } = await clientEnvironment(made.kube, 'kube-registry', undefined)
    return notes.find(({ client }) => client === 'Jobs in ci')?.needs
  }

  test('end by themselves where they are native', async () => expect(await noteOf('native')).toBeUndefined())

  test('need the annotation where they are not', async () =>
    expect(await noteOf('classic')).toContain('sidecar.istio.io/nativeSidecar: "true"'))

  test('end by regctl build alone on an old Kubernetes', async () =>
    expect(await noteOf('classic', 'v1.28.3')).toContain('regctl build'))
})

test('what was not run is marked', async () => {
  const { notes } = await environment(['ci example'])
  expect(notes.filter(({ ran }) => !ran).map(({ client }) => client)).toEqual([
    'buildx, docker-container driver',
    'Jib',
    'Tilt',
    'Garden',
  ])
})

test.each([
  ['sh', `export A='it'\\''s'`],
  ['fish', `set -gx A 'it\\'s'`],
  ['powershell', `$Env:A = 'it''s'`],
] as const)('%s', (shell, line) => {
  const notes = [{ client: 'x', needs: 'y', ran: false }]
  expect(environmentText(shell, { A: "it's" }, notes)).toBe(`${line}\n# x (not run, from its documentation): y`)
})
