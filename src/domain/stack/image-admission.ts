import type { Installation } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { IMAGE_ID, spellings } from '../tenant/spelling.ts'
import { ADDRESSES, admissionData, type Tenants } from '../tenant/tenants.ts'
import { mapped, podPolicies, quoted } from './pod-admission.ts'

const CONTAINERS = ['containers', 'initContainers', 'ephemeralContainers'] as const

/** Every image a pod names, in CEL. */
const imagesOf = (spec: string): string =>
  [
    ...CONTAINERS.map((list) => `(has(${spec}.${list}) ? ${spec}.${list}.map(c, has(c.image), c.image) : [])`),
    `(has(${spec}.volumes) ? ${spec}.volumes.map(v, has(v.image) && has(v.image.reference), v.image.reference) : [])`,
  ].join(' + ')

/** The first of a list, for a message. */
const first = (list: string): string => `'image "' + variables.${list}[0] + '"'`

/**
 * Whose pods may use which image. A kubelet's pull does not say for which pod it is, so this is where pulls are decided.
 * An update is asked about the images it brings, so that pods that were there before can still be changed and end.
 */
export function imagePolicies(at: Installation, tenants: Tenants, exempt: readonly string[]): readonly KubeObject[] {
  const { own, wellFormed, other, address, harmless } = spellings(at)
  const isOwn = own.map((start) => `i.startsWith(${quoted(start)})`).join(' || ')
  const tenant = "r.split('/')[0]"
  const key = `${tenant} + '.' + request.namespace`
  const way = `localhost:${at.port}/REPOSITORY`
  return podPolicies(at, 'images', exempt, ({ spec, old }) => ({
    variables: [
      { name: 'tenants', expression: mapped(admissionData(tenants)) },
      { name: 'before', expression: `oldObject == null ? [] : ${imagesOf(old)}` },
      { name: 'images', expression: `(${imagesOf(spec)}).filter(i, !(i in variables.before))` },
      { name: 'ids', expression: `variables.images.filter(i, i.matches(${quoted(IMAGE_ID)}))` },
      { name: 'own', expression: `variables.images.filter(i, ${isOwn})` },
      {
        name: 'misspelled',
        expression: `variables.own.filter(i, !i.matches(${quoted(wellFormed)}))`,
      },
      {
        name: 'otherwise',
        expression: `variables.images.filter(i, !(${isOwn}) && (i.lowerAscii().matches(${quoted(other)}) || (i.lowerAscii().matches(${quoted(address)}) && !i.lowerAscii().matches(${quoted(harmless)})) || (${quoted(ADDRESSES)} in variables.tenants && variables.tenants[${quoted(ADDRESSES)}].split(' ').exists(a, a != '' && (i.lowerAscii().startsWith(a + ':') || i.lowerAscii().startsWith(a + '/'))))))`,
      },
      // The type says nothing of a Namespace's uid, which is there all the same.
      { name: 'uid', expression: 'string(dyn(namespaceObject).metadata.uid)' },
      {
        name: 'foreign',
        expression: `variables.own.map(i, i.substring(i.indexOf('/') + 1).split('@')[0].split(':')[0]).filter(r, ${tenant} in variables.tenants && variables.tenants[${tenant}].startsWith('private ') && !(${tenant} == request.namespace && variables.tenants[${tenant}].split(' ')[1] == variables.uid) && !(${key} in variables.tenants && variables.tenants[${key}].split(' ')[0] == variables.uid && variables.tenants[${key}].split(' ').exists(s, r == s || r.startsWith(s + '/'))))`,
      },
    ],
    validations: [
      {
        expression: 'variables.ids.size() == 0',
        message: 'an image is an image id, which starts what a node has cached, whoever pulled it: write a name',
        messageExpression: `${first('ids')} + ' is an image id, which starts what a node has cached, whoever pulled it: write a name'`,
      },
      {
        expression: 'variables.otherwise.size() == 0',
        message: `an image is no way to name the registry: write ${way}`,
        messageExpression: `${first('otherwise')} + ${quoted(` is no way to name the registry: write ${way}`)}`,
      },
      {
        expression: 'variables.misspelled.size() == 0',
        message: `an image is no way to name the registry: write ${way}`,
        messageExpression: `${first('misspelled')} + ${quoted(` is no way to name the registry: write ${way}`)}`,
      },
      {
        expression: 'variables.foreign.size() == 0',
        message: 'an image belongs to another tenant',
        messageExpression: `'image "localhost:${at.port}/' + variables.foreign[0] + '" belongs to tenant ' + variables.foreign[0].split('/')[0] + ', and is not shared with namespace ' + request.namespace + ': regctl share ' + variables.foreign[0] + ' --with ' + request.namespace`,
      },
    ],
  }))
}
