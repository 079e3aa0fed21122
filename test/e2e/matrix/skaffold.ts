import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { extraTool } from '../../lab/tools.ts'
import { run } from '../cluster.ts'
import { images } from '../images.ts'
import { output, type Project } from './workstation.ts'

/** One artifact, built by stock Skaffold with `regctl build` as its custom builder; what Skaffold says it built. */
export async function skaffoldBuild(
  { directory, context }: Project,
  defaultRepo: string,
  artifact: string,
  builder: object,
): Promise<{ readonly digest: string; readonly log: string }> {
  const home = join(directory, artifact)
  await mkdir(home)
  const custom = {
    buildCommand: `${process.env.REGCTL_BIN} build --builder-image ${images.kaniko}`,
    dependencies: { dockerfile: { path: 'Dockerfile' } },
  }
  const build = { tagPolicy: { sha256: {} }, ...builder, artifacts: [{ image: artifact, context, custom }] }
  const file = join(home, 'skaffold.yaml')
  await writeFile(file, JSON.stringify({ apiVersion: 'skaffold/v4beta13', kind: 'Config', build }))
  const result = join(home, 'result.json')
  const flags = ['--cache-artifacts=false', '--interactive=false', '--check-cluster-node-platforms=false']
  const argv = [
    await extraTool('skaffold'),
    'build',
    '-f',
    file,
    '-d',
    defaultRepo,
    `--file-output=${result}`,
    ...flags,
  ]
  const ran = await run(argv, { env: { HOME: home } })
  output(argv, ran)
  const { builds } = JSON.parse(await readFile(result, 'utf8')) as { builds: { tag: string }[] }
  const tag = builds[0]?.tag ?? ''
  return { digest: tag.slice(tag.indexOf('@') + 1), log: `${ran.stdout}${ran.stderr}` }
}
