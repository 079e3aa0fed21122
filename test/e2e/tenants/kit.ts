import { expect } from 'vitest'
import { remove } from '../attacks/kit.ts'
import { ensureNamespaces } from '../clients.ts'
import { kubectl, kubectlOk, type Run, regctlOk } from '../cluster.ts'
import { images, upFlags } from '../images.ts'

export type Spec = Readonly<Record<string, unknown>>

/** A container that names an image; PodSecurity has nothing against it anywhere. */
export const container = (image: string, more: Spec = {}): Spec => ({ name: 'main', image, ...more })

export const podOf = (namespace: string, spec: Spec): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'tried', namespace, labels: { 'sidecar.istio.io/inject': 'false' } },
  spec,
})

/** Every place in a pod where an image stands. */
export const places: Readonly<Record<string, (image: string) => Spec>> = {
  container: (image) => ({ containers: [container(image)] }),
  'init container': (image) => ({
    initContainers: [container(image, { name: 'init' })],
    containers: [container(images.toolbox)],
  }),
  'native sidecar': (image) => ({
    initContainers: [container(image, { name: 'init', restartPolicy: 'Always' })],
    containers: [container(images.toolbox)],
  }),
  'second container': (image) => ({ containers: [container(images.toolbox), container(image, { name: 'second' })] }),
  'image volume': (image) => ({
    containers: [container(images.toolbox)],
    volumes: [{ name: 'volume', image: { reference: image } }],
  }),
}

/** Objects that make pods, each with its own pod's shape. */
export const makers = (namespace: string, spec: Spec): readonly object[] => {
  const metadata = { name: 'tried', namespace }
  const labels = { app: 'tried' }
  const template = { metadata: { labels }, spec }
  const job = { template: { ...template, spec: { ...spec, restartPolicy: 'Never' } } }
  const set = { selector: { matchLabels: labels }, template }
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: set },
    { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata, spec: set },
    { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata, spec: set },
    { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata, spec: { ...set, serviceName: 'tried' } },
    { apiVersion: 'v1', kind: 'ReplicationController', metadata, spec: { selector: labels, template } },
    { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: job },
    { apiVersion: 'batch/v1', kind: 'CronJob', metadata, spec: { schedule: '@yearly', jobTemplate: { spec: job } } },
  ]
}

/** Puts objects before admission and makes none. One that is refused does not keep the others from being asked. */
export const tried = (...objects: readonly object[]): Promise<Run> =>
  kubectl(['create', '--dry-run=server', '-f', '-'], {
    input: objects.map((object) => JSON.stringify(object)).join('\n---\n'),
  })

/** What the API server says to each image in a namespace, in order: `undefined` where it lets the pod in. */
export async function said(namespace: string, specs: readonly Spec[]): Promise<readonly (string | undefined)[]> {
  const objects = specs.map((spec, index) => {
    const object = podOf(namespace, spec) as { metadata: object }
    return { ...object, metadata: { ...object.metadata, name: `tried-${index}` } }
  })
  const { stdout, stderr } = await tried(...objects)
  const errors = stderr.split('\n').filter((line) => line.startsWith('Error') || line.startsWith('The '))
  const refusals = new Map(errors.map((line) => [/pods? "(tried-\d+)"/.exec(line)?.[1] ?? line, line]))
  const answers = specs.map((_, index) => {
    const name = `tried-${index}`
    return new RegExp(`pod/${name} created`).test(stdout) ? undefined : (refusals.get(name) ?? '')
  })
  expect(answers, stderr).not.toContain('')
  return answers
}

/** An installation without a tenant, and these namespaces, new. */
export async function withoutTenants(...namespaces: readonly string[]): Promise<void> {
  await Promise.all([regctlOk(['up', ...upFlags]), remove('namespace', namespaces)])
  const { tenants } = JSON.parse(await regctlOk(['tenant', 'list', '--json'])) as { tenants: { namespace: string }[] }
  await Promise.all([
    ...(tenants.length === 0 ? [] : [regctlOk(['tenant', 'remove', ...tenants.map(({ namespace }) => namespace)])]),
    ensureNamespaces(...namespaces),
  ])
}

/** Everything in the cluster that is there for tenants. */
export async function leftovers(): Promise<readonly string[]> {
  const kinds =
    'configmaps,authorizationpolicies,envoyfilters,validatingadmissionpolicies,validatingadmissionpolicybindings'
  const found = await kubectlOk(['get', kinds, '-A', '-l', 'regctl.dev/tenant', '-o', 'name'])
  return found.split('\n').filter((line) => line !== '')
}
