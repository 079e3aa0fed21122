import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../domain/kube-object.ts'
import type { Assets } from '../ports.ts'

/** `root` is the package's directory as oclif knows it; the path of a bundled chunk says nothing about it. */
export function shippedAssets(root: string): Assets {
  return {
    async manifests(name) {
      const file = join(root, 'assets', 'manifests', name)
      const documents = parseAllDocuments(await readFile(file, 'utf8'))
      const objects: KubeObject[] = []
      for (const document of documents) {
        if ('errors' in document && document.errors[0] !== undefined)
          throw new Error(`${file}: ${document.errors[0].message}`)
        const object: unknown = document.toJS()
        if (object !== null) objects.push(object as KubeObject)
      }
      return objects
    },
  }
}
