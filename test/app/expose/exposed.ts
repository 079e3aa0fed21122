import { PassThrough } from 'node:stream'
import { type Asked, expose, planExposure } from '../../../src/app/expose/expose.ts'
import { status } from '../../../src/app/inspect/status.ts'
import type { KubeObject } from '../../../src/domain/kube-object.ts'
import type { ExposePorts } from '../../../src/ports.ts'
import { CERTIFICATE, KEY, NOW } from '../../domain/certificates.ts'
import { type FakeCluster, installedCluster, namespace } from '../../fakes/cluster.ts'

export const HOME = 'kube-registry-expose'
export const HOST = 'registry.example'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

export const secret = (at: string, name: string, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace: at, name },
  type: 'kubernetes.io/tls',
  data: { 'tls.crt': base64(CERTIFICATE), 'tls.key': base64(KEY) },
  ...more,
})

/** A registry, and a certificate where the refusal says; in its time. */
export async function exposable(...given: Parameters<typeof installedCluster>): Promise<FakeCluster> {
  const cluster = await installedCluster(...given)
  await cluster.clock.sleep(NOW)
  cluster.store.put(namespace(HOME, { 'regctl.dev/installation': 'kube-registry' }))
  cluster.store.put(secret(HOME, 'web'))
  return cluster
}

const answering: ExposePorts['dial'] = async () => new PassThrough()

export async function exposing({ ports }: FakeCluster, asked: Partial<Asked> = {}, dial = answering) {
  const all = { host: HOST, repositories: [], ...asked }
  return expose({ ...ports, dial }, await planExposure(ports, 'kube-registry', all), { timeoutMs: 30_000 })
}

export const problems = async ({ ports }: FakeCluster) =>
  (await status(ports, 'kube-registry')).problems.map(({ what }) => what)
