import type { V1Pod } from '@kubernetes/client-node'
import { imagesOf } from '../../src/app/tenant/uses.ts'
import type { KubeObject } from '../../src/domain/kube-object.ts'
import { imageFault } from '../../src/domain/tenant/image-rules.ts'
import { tenantsOf, tenantsRef } from '../../src/domain/tenant/tenants.ts'
import { at } from '../domain/at.ts'
import { type ObjectStore, Refusal } from './object-store.ts'

const POLICY = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicyBinding' }

/** What the policies on images say of a pod; test/e2e holds the real ones against the same rules. */
export function admitImages(store: ObjectStore, object: KubeObject): KubeObject {
  if (object.kind !== 'Pod') return object
  if (store.read({ ...POLICY, name: 'regctl-images-kube-registry' }) === undefined) return object
  const { namespace = '' } = object.metadata
  const home = store.read({ apiVersion: 'v1', kind: 'Namespace', name: namespace })
  const state = tenantsOf(store.read(tenantsRef(at)))
  for (const image of imagesOf(object as unknown as V1Pod)) {
    const message = imageFault(at, state, { namespace, uid: home?.metadata.uid ?? '' }, image)
    if (message !== undefined) throw new Refusal(403, { message, reason: 'Forbidden' })
  }
  return object
}
