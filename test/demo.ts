import { parseArgs } from 'node:util'
import { account, chapter, verdict } from './demo/account.ts'
import { type Cluster, contextCluster, type Images, kubectl, labCluster, regctl } from './demo/cluster.ts'
import { findPlaces, type Places } from './demo/places.ts'
import { story } from './demo/story.ts'

const USAGE = `npm run demo -- [--keep] [--context NAME [--image ROLE=REF]... [-- FLAGS OF regctl up]]

  --keep            leave everything as the story ends: the lab, the registry, the namespaces
  --context NAME    run on your own cluster with Istio, by this kubeconfig context, instead of the lab
  --image ROLE=REF  image to use there, for ROLE kaniko, busybox or curl
`

const DEFAULT_IMAGES: Images = {
  kaniko: 'gcr.io/kaniko-project/executor:v1.24.0',
  busybox: 'docker.io/library/busybox:1.37',
  curl: 'docker.io/curlimages/curl:8.16.0',
}

type Options = {
  readonly keep: boolean
  readonly context?: string
  readonly images: Images
  readonly upFlags: readonly string[]
}

function parse(): Options | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      keep: { type: 'boolean', default: false },
      context: { type: 'string' },
      image: { type: 'string', multiple: true, default: [] },
    },
  })
  if (values.help) return undefined
  if (values.context === undefined && values.image.length + positionals.length > 0)
    throw new Error('--image and flags of regctl up go with --context; the lab has its own')
  const given = values.image.map((text) => [text.split('=')[0] ?? '', text.slice(text.indexOf('=') + 1)] as const)
  const wrong = given.find(([role, reference]) => !(role in DEFAULT_IMAGES) || reference === '')
  if (wrong !== undefined) throw new Error(`--image "${wrong.join('=')}" is not kaniko=, busybox= or curl=REF`)
  return {
    keep: values.keep,
    images: { ...DEFAULT_IMAGES, ...Object.fromEntries(given) },
    upFlags: positionals,
    ...(values.context === undefined ? {} : { context: values.context }),
  }
}

/** Takes away what the demo made: its namespaces, its grant, and the registry unless it was there before. */
async function tidy(cluster: Cluster, places: Places): Promise<void> {
  const { builder, stranger, app, repository, installed } = places
  chapter(
    'Clean up',
    installed ? `The registry was here before and stays, with ${repository}/app.` : 'As it was found.',
  )
  await regctl(cluster, ['revoke', builder, '--all']).catch(() => {})
  const namespaces = [builder, stranger, app]
  await kubectl(cluster, ['delete', 'namespace', ...namespaces, '--ignore-not-found', '--timeout=120s'])
  if (!installed) await regctl(cluster, ['down', '--delete-data'])
}

/** The whole demo; returns when everything is as it was found. */
async function run({ context, images, upFlags, keep }: Options, signal: AbortSignal): Promise<void> {
  const cluster =
    context === undefined ? await labCluster(keep, signal) : await contextCluster(context, images, upFlags, signal)
  try {
    const places = await findPlaces(cluster)
    try {
      await story(cluster, places)
    } finally {
      // What ended the story must not end the cleaning up.
      if (!cluster.disposable && !keep) await tidy({ ...cluster, signal: new AbortController().signal }, places)
    }
  } finally {
    await cluster.close()
  }
}

const started = Date.now()
const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new Error(`stopped by ${name}`)))
try {
  const options = parse()
  if (options === undefined) process.stdout.write(USAGE)
  else {
    await run(options, stop.signal)
    verdict(Math.round((Date.now() - started) / 1000))
  }
  process.exitCode = account.broken.length === 0 ? 0 : 1
} catch (error) {
  process.stderr.write(`\nError: ${error instanceof Error ? error.message : String(error)}\n`)
  process.stderr.write('Try: npm run demo -- --help\n')
  process.exitCode = 1
}
