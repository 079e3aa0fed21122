import { cpSync, globSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from '../../lab/command.ts'
import { buildGo, extraSets, moduleDirectory } from '../../lab/go-build.ts'
import { source } from '../../lab/paths.ts'

const SKAFFOLD = 'github.com/GoogleContainerTools/skaffold/v2'

/** Every skaffold.yaml that Skaffold's own module carries (examples, tests, documentation), copied to `directory`. */
export async function skaffoldFiles(directory: string): Promise<readonly string[]> {
  await run(['go', 'mod', 'download', SKAFFOLD], { cwd: join(source, 'go', extraSets.skaffold.module) })
  const module = await moduleDirectory(extraSets.skaffold, SKAFFOLD)
  const files = globSync('**/*.{yaml,yml,env}', { cwd: module })
  for (const file of files) {
    mkdirSync(dirname(join(directory, file)), { recursive: true })
    cpSync(join(module, file), join(directory, file), { mode: 0 })
  }
  return files
    .filter((file) => /^apiVersion:\s*["']?skaffold\//m.test(readFileSync(join(directory, file), 'utf8')))
    .sort()
}

export const skaffoldBinary = async (): Promise<string> => join(await buildGo(extraSets.skaffold), 'skaffold')
