import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { run } from '../command.ts'

export interface ImageConfig {
  readonly Entrypoint: readonly string[]
  readonly Cmd?: readonly string[]
  readonly Env?: readonly string[]
  readonly User?: string
  readonly WorkingDir?: string
}

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

/** Packs a root file system as an OCI layout of one image with one plain layer, in one tar; the same files give the same bytes. */
export async function packImage(
  root: string,
  name: string,
  config: ImageConfig,
  output: string,
  capabilities = false,
): Promise<void> {
  const layout = `${output}.layout`
  const blobs = join(layout, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true })

  const blob = async (file: string, mediaType: string): Promise<Descriptor> => {
    const hex = await sha256(file)
    await rename(file, join(blobs, hex))
    return { mediaType, digest: `sha256:${hex}`, size: (await stat(join(blobs, hex))).size }
  }
  const json = async (value: unknown, mediaType: string): Promise<Descriptor> => {
    const file = join(layout, 'next.json')
    await writeFile(file, JSON.stringify(value))
    return blob(file, mediaType)
  }

  const plain = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner']
  const attributes = capabilities ? ['--xattrs', '--xattrs-include=security.capability'] : []
  await run(['tar', ...plain, ...attributes, '-cf', join(layout, 'layer'), '-C', root, '.'])
  const layer = await blob(join(layout, 'layer'), 'application/vnd.oci.image.layer.v1.tar')
  const configuration = await json(
    { architecture: 'amd64', os: 'linux', config, rootfs: { type: 'layers', diff_ids: [layer.digest] } },
    'application/vnd.oci.image.config.v1+json',
  )
  const manifest = await json(
    {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: configuration,
      layers: [layer],
    },
    'application/vnd.oci.image.manifest.v1+json',
  )
  // containerd takes the full reference from its own annotation, the short one is the standard's.
  const annotations = {
    'io.containerd.image.name': name,
    'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
  }
  await writeFile(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  )
  await writeFile(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  await run(['tar', ...plain, '-cf', output, '-C', layout, '.'])
  await rm(layout, { recursive: true })
}
