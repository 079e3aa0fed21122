import type { KubeObject } from '../../domain/kube-object.ts'
import { isRecord } from '../../domain/skaffold/addition.ts'
import {
  type Checked,
  type ClusterUse,
  checkFile,
  checkNaming,
  type Naming,
  type Problem,
} from '../../domain/skaffold/check.ts'
import { settingsFor } from '../../domain/skaffold/global-config.ts'
import { isLocalCluster } from '../../domain/skaffold/images.ts'
import { parseYaml } from '../../domain/skaffold/yaml-text.ts'
import type { SkaffoldPorts } from '../../ports.ts'
import { checkPods } from './check-pods.ts'
import { type ClusterFacts, clusterFacts } from './cluster.ts'
import type { SkaffoldInput } from './init.ts'
import { type Project, readProject } from './project.ts'
import { contentOf, readGlobal } from './settings.ts'

export type CheckResult = {
  readonly problems: readonly Problem[]
  /** How builds in the cluster get their context here. */
  readonly ways: readonly string[]
  readonly remarks: readonly string[]
}

/** Would Skaffold work here as things are? `defaultRepo` is what its environment variable says. */
export async function check(
  ports: SkaffoldPorts,
  input: SkaffoldInput,
  defaultRepo: string | undefined,
): Promise<CheckResult> {
  const project = await readProject(ports.files, input.file)
  const facts = await clusterFacts(ports, input.registryNamespace)
  const naming = await namingHere(ports, input, facts, defaultRepo)
  const checked = project.files.map((file) =>
    checkFile(file, { naming, profile: input.profile, grants: facts.grants, namespace: 'default' }),
  )
  const uses = new Map(checked.flatMap(({ clusterUses }) => clusterUses).map((use) => [identityOf(use), use]))
  const pods = await Promise.all([...uses.values()].map((use) => checkPods(ports, facts, use)))
  const forward = await checkForward(ports, facts, checked)
  return {
    problems: [
      ...checkNaming(naming),
      ...checked.flatMap(({ problems }) => problems),
      ...unprofiled(project, input, uses.size),
      ...pods.flatMap(({ problems }) => problems),
      ...forward.problems,
    ],
    ways: pods.flatMap(({ ways }) => ways),
    remarks: [...project.remarks, ...forward.remarks],
  }
}

const identityOf = ({ where: _where, ...use }: ClusterUse): string => JSON.stringify(use)

function unprofiled({ files }: Project, { builder }: SkaffoldInput, uses: number): readonly Problem[] {
  if (builder !== 'in-cluster' || uses > 0) return []
  const what = 'nothing is built in the cluster'
  return [{ where: files[0]?.name ?? '', what, fix: 'regctl skaffold-init --builder in-cluster' }]
}

/** The environment comes first, then what a local cluster says of itself (KEP-1755), then the configuration. */
async function namingHere(
  { files, kube }: SkaffoldPorts,
  { config }: SkaffoldInput,
  { at }: ClusterFacts,
  environment: string | undefined,
): Promise<Naming> {
  const global = await readGlobal(files, config)
  const { context } = kube.target
  const settings = settingsFor(contentOf(global), context)
  const named = { registry: `localhost:${at.port}`, multiLevel: settings['multi-level-repo'] === true }
  if (environment !== undefined) return { ...named, defaultRepo: environment, source: 'SKAFFOLD_DEFAULT_REPO' }
  const local = settings['local-cluster'] ?? isLocalCluster(context)
  const hosted = local === true ? await hostedRegistry(kube) : undefined
  if (hosted !== undefined)
    return { ...named, defaultRepo: hosted, source: 'ConfigMap kube-public/local-registry-hosting' }
  const { 'default-repo': configured } = settings
  return { ...named, defaultRepo: typeof configured === 'string' ? configured : '', source: global.name }
}

async function hostedRegistry(kube: SkaffoldPorts['kube']): Promise<string | undefined> {
  const found: KubeObject | undefined = await kube.get({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace: 'kube-public',
    name: 'local-registry-hosting',
  })
  const text = (found?.data as Readonly<Record<string, string>> | undefined)?.['localRegistryHosting.v1'] ?? ''
  const value = parseYaml('localRegistryHosting.v1', text).documents[0]?.value
  return isRecord(value) && typeof value.host === 'string' ? value.host : undefined
}

async function checkForward(
  { localRegistry, signal }: SkaffoldPorts,
  { at }: ClusterFacts,
  checked: readonly Checked[],
): Promise<Omit<CheckResult, 'ways'>> {
  const answer = await localRegistry.probe(at.port, signal)
  if (answer === 'registry') return { problems: [], remarks: [] }
  const what =
    answer === 'nothing'
      ? `nothing serves localhost:${at.port} on this machine`
      : `what serves localhost:${at.port} on this machine is not the registry`
  if (checked.some(({ pushesHere }) => pushesHere))
    return { problems: [{ where: 'this machine', what, fix: 'regctl dev-forward' }], remarks: [] }
  return {
    problems: [],
    remarks: [
      `${what}: builds in the cluster work, but Skaffold cannot see what is built already (regctl dev-forward)`,
    ],
  }
}
