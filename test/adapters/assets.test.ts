import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { shippedAssets } from '../../src/adapters/assets.ts'

const root = mkdtempSync(join(tmpdir(), 'regctl-assets-'))
mkdirSync(join(root, 'assets/manifests'), { recursive: true })
afterAll(() => rmSync(root, { recursive: true }))

const write = (name: string, text: string) => writeFileSync(join(root, 'assets/manifests', name), text)

test('objects come in the order of the file, without empty documents', async () => {
  write('two.yaml', '# first\nkind: A\n---\n---\nkind: B\nports: [5000]\n')
  expect(await shippedAssets(root).manifests('two.yaml')).toEqual([{ kind: 'A' }, { kind: 'B', ports: [5000] }])
})

test('a file with an error in it is named', async () => {
  write('bad.yaml', 'kind: A\n---\nkind: [B\n')
  await expect(shippedAssets(root).manifests('bad.yaml')).rejects.toThrow(/bad\.yaml: .*\]/)
  await expect(shippedAssets(root).manifests('none.yaml')).rejects.toThrow(/ENOENT.*none\.yaml/)
})

test('what is shipped is there, every object with its type and name', async () => {
  const assets = shippedAssets(join(import.meta.dirname, '../..'))
  const objects = [...(await assets.manifests('registry.yaml')), ...(await assets.manifests('node-proxy.yaml'))]
  expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
    'Namespace kube-registry',
    'ServiceAccount kube-registry',
    'ConfigMap registry-config',
    'PersistentVolumeClaim registry-data',
    'Service kube-registry',
    'Deployment kube-registry',
    'Namespace kube-registry-node',
    'ServiceAccount registry-node',
    'ResourceQuota node-critical',
  ])
})
