import { kubectlOk, regctlOk } from '../cluster.ts'
import { images } from '../images.ts'

/** The init containers of a pod as Skaffold makes it for Kaniko, as the cluster admits it; nothing is started. */
export async function orderIn(namespace: string): Promise<readonly string[]> {
  const labels = { 'skaffold-kaniko': 'skaffold-kaniko', 'sidecar.istio.io/inject': 'true' }
  const input = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'as-admitted', namespace, labels },
    spec: {
      initContainers: [{ name: 'kaniko-init-container', image: images.toolbox }],
      containers: [{ name: 'kaniko', image: images.kaniko }],
    },
  })
  const path = 'jsonpath={.spec.initContainers[*].name}'
  return (await kubectlOk(['create', '--dry-run=server', '-o', path, '-f', '-'], { input })).split(' ')
}

/** The objects that see to it. */
export async function policiesOf(namespace: string): Promise<readonly string[]> {
  const kinds = 'mutatingadmissionpolicies,mutatingadmissionpolicybindings'
  const found = await kubectlOk(['get', kinds, '-l', `regctl.dev/grant=${namespace}`, '-o', 'name'])
  return found.split('\n').filter((line) => line !== '')
}

/** What else `up` finds to do is no matter: namespaces of other suites may go meanwhile. */
export async function policiesChangedByUp(): Promise<readonly string[]> {
  const { changed } = JSON.parse(await regctlOk(['up', '--json'])) as { readonly changed: readonly string[] }
  return changed.filter((line) => line.startsWith('Mutating'))
}
