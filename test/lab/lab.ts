import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Listr, type ListrRendererValue } from 'listr2'
import { installDns, installIstio, installStorage, waitForNodes } from './addons.ts'
import { sweepCache } from './cache.ts'
import { createGroups } from './cgroups.ts'
import { hasRemains, removeLab } from './cleanup.ts'
import { until } from './command.ts'
import { kubectl, startControlPlane, waitForControlPlane } from './control-plane.ts'
import { requireMachine } from './debian.ts'
import { fingerprint } from './fingerprint.ts'
import { buildGo, type GoSet, goSets } from './go-build.ts'
import { buildArchives, imageReferences } from './images/images.ts'
import { type LabInfo, readRecord, writeRecord } from './info.ts'
import { locked } from './lock.ts'
import { createNetwork, inNode, places } from './network.ts'
import { daemonsOf, loadImages, runtimeOf, startNode, startRuntime } from './node.ts'
import { inState, kubeconfig, tools } from './paths.ts'
import { createPki } from './pki.ts'
import { relyingOn } from './processes.ts'
import { heals } from './status.ts'
import { saveSysctls } from './sysctls.ts'
import { type ExtraSet, linkExtraTools, linkTools } from './tools.ts'

export interface LabOptions {
  readonly renderer?: ListrRendererValue
  /** Tools that nothing in the cluster needs. */
  readonly extraTools?: readonly ExtraSet[]
}

interface Parts {
  hyperkube: string
  archives: readonly string[]
}

const description: LabInfo = {
  kubeconfig,
  nodes: places.map((place) => ({ name: place.name, ip: place.ip, exec: inNode(place) })),
  tools,
  images: imageReferences,
}

/** Brings the lab up, or finds that the one that runs is the same and well. */
export function labUp(options: LabOptions = {}): Promise<LabInfo> {
  return locked(
    async () => {
      await requireMachine()
      const wanted = await fingerprint()
      const renderer = options.renderer ?? 'default'
      if ((await readRecord())?.fingerprint !== wanted || !(await heals())) {
        await upTasks(renderer).run()
        await writeRecord({ fingerprint: wanted, info: description })
      }
      await extraTasks(renderer, options.extraTools ?? []).run()
      return description
    },
    () => process.stderr.write('waiting for another run of the lab\n'),
  )
}

export function labDown(): Promise<void> {
  return locked(removeLab)
}

/** Undefined unless an `up` came to its end. */
export async function labInfo(): Promise<LabInfo | undefined> {
  return (await readRecord())?.info
}

function upTasks(renderer: ListrRendererValue): Listr<Parts, ListrRendererValue> {
  const ctx: Parts = { hyperkube: '', archives: [] }
  return new Listr<Parts, ListrRendererValue>(
    [
      { title: 'Build the tools', task: (_, task) => task.newListr(buildTasks()) },
      {
        title: 'Build the images',
        task: async () => {
          ctx.archives = await buildArchives()
        },
      },
      { title: 'Remove an earlier lab', skip: () => !hasRemains(), task: removeLab },
      {
        title: 'Lay out network, certificates and tools',
        task: async () => {
          ctx.hyperkube = await layOut()
        },
      },
      {
        title: 'Start the control plane and load the images',
        task: async () => {
          await startControlPlane(ctx.hyperkube)
          await Promise.all([
            relyingOn(['apiserver', 'etcd'], waitForControlPlane),
            ...places.map((place) =>
              relyingOn([runtimeOf(place)], async () => {
                await startRuntime(place)
                await loadImages(place, ctx.archives)
              }),
            ),
          ])
        },
      },
      {
        title: 'Start the nodes',
        task: () => relyingOn(['apiserver', ...places.flatMap(daemonsOf)], () => startNodes(ctx.hyperkube)),
      },
      {
        title: 'Install DNS, storage and Istio',
        task: async () => {
          const daemons = ['controller-manager', 'scheduler', ...places.flatMap(daemonsOf)]
          await relyingOn(daemons, () => Promise.all([installStorage(), installDns(), installIstio()]))
        },
      },
    ],
    { ctx, renderer },
  )
}

function extraTasks(renderer: ListrRendererValue, names: readonly ExtraSet[]): Listr<unknown, ListrRendererValue> {
  const title = `Build the extra tools: ${names.join(', ')}`
  const link = (): Promise<void> => linkExtraTools(names)
  return new Listr([{ title, task: link }], { renderer: names.length === 0 ? 'silent' : renderer })
}

function buildTasks(): { title: string; task: () => Promise<void> }[] {
  return Object.values<GoSet>(goSets).map((set) => ({
    title: set.module,
    task: async () => {
      await buildGo(set)
    },
  }))
}

async function layOut(): Promise<string> {
  await sweepCache()
  await mkdir(inState('home'), { recursive: true })
  await saveSysctls()
  await linkTools()
  await createGroups(places.map(({ name }) => name))
  await Promise.all([createNetwork(), createPki()])
  return join(await buildGo(goSets.kubernetes), 'kubernetes')
}

/** One after the other: pod ranges are routed by node, and each Node states its own. */
async function startNodes(hyperkube: string): Promise<void> {
  await Promise.all(places.map((place) => startNode(place, hyperkube)))
  for (const { name, podCidr } of places) {
    await until(`${name} registers`, async () => (await kubectl('get', 'node', name, '-o', 'name')) !== '', 30)
    await kubectl('patch', 'node', name, '-p', JSON.stringify({ spec: { podCIDR: podCidr, podCIDRs: [podCidr] } }))
  }
  await waitForNodes()
}
