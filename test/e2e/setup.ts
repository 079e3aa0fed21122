import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { execa } from 'execa'
import type { TestProject } from 'vitest/node'
import { labDown, labInfo, labUp } from '../lab/lab.ts'
import type { ExtraSet } from '../lab/tools.ts'

const root = join(import.meta.dirname, '../..')

/** Built here, because a suite that builds one itself would run into its time limit. */
const suiteTools: readonly ExtraSet[] = [
  'skaffold',
  'helm',
  'conformance',
  'buildkit',
  'buildx',
  'rootlesskit',
  'ko',
  'regclient',
]

/** A cluster and the packed CLI, handed to the suites by the environment. Stops what it started. */
export default async function setup(_project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'regctl-e2e-'))
  const path = [dirname(process.execPath), process.env.PATH ?? '']
  const context = process.env.REGCTL_E2E_CONTEXT
  let stop = async (): Promise<void> => {}
  if (context === undefined) {
    const before = await labInfo()
    const lab = await labUp({ extraTools: suiteTools })
    if (before === undefined && process.env.REGCTL_E2E_KEEP === undefined) stop = labDown
    path.unshift(lab.tools)
    process.env.KUBECONFIG = lab.kubeconfig
    process.env.REGCTL_E2E_LAB = JSON.stringify(lab)
  } else {
    // A file with that context alone, so that no command of a suite can reach another cluster.
    const { stdout } = await execa('kubectl', [
      'config',
      'view',
      '--raw',
      '--minify',
      '--flatten',
      '--context',
      context,
    ])
    const kubeconfig = join(directory, 'kubeconfig')
    await writeFile(kubeconfig, stdout, { mode: 0o600 })
    process.env.KUBECONFIG = kubeconfig
  }
  process.env.PATH = path.join(delimiter)
  // kubectl's, so that what it keeps of a disposable cluster goes with it.
  process.env.KUBECACHEDIR = join(directory, 'kube-cache')
  try {
    process.env.REGCTL_BIN = await install(directory)
  } catch (error) {
    await stop()
    throw error
  }
  return async () => {
    await stop()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Packs the checkout and installs the tarball into an empty prefix, as `npm install --global` does for a user. */
async function install(directory: string): Promise<string> {
  const { stdout } = await execa('npm', ['pack', '--json', '--pack-destination', directory], {
    cwd: root,
    stdin: 'ignore',
  })
  const packed: unknown = JSON.parse(stdout)
  // npm 12 prints an object by package name where older ones print a list.
  const [first] = Object.values(packed as Record<string, { filename: string }>)
  if (first === undefined) throw new Error(`npm pack made nothing: ${stdout}`)
  const tarball = join(directory, first.filename)
  const prefix = join(directory, 'prefix')
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  await execa('npm', ['install', '--global', '--prefix', prefix, ...flags, tarball], {
    cwd: directory,
    stdin: 'ignore',
  })
  return join(prefix, 'bin', 'regctl')
}
