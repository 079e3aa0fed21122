import type { Installation } from '../installation.ts'
import { IMAGE_ID, spellings } from './spelling.ts'
import { findTenant, isShared, type Tenants, tenantOf } from './tenants.ts'

export type Place = { readonly namespace: string; readonly uid: string }

/** What admission finds wrong with an image in a namespace; undefined where nothing is. */
export function imageFault(at: Installation, state: Tenants, place: Place, image: string): string | undefined {
  if (new RegExp(IMAGE_ID).test(image)) return idText(image)
  const { own, wellFormed } = spellings(at)
  if (!own.some((start) => image.startsWith(start)))
    return isOtherWay(at, state, image) ? otherWayText(at, image) : undefined
  if (!new RegExp(wellFormed).test(image)) return otherWayText(at, image)
  const repository = repositoryOf(image)
  const tenant = findTenant(state, tenantOf(repository))
  if (tenant?.private !== true) return undefined
  if (tenant.namespace === place.namespace) return tenant.uid === place.uid ? undefined : foreignText(image, tenant)
  const shared = { ...state, shares: state.shares.filter(({ uid }) => uid === place.uid) }
  return isShared(shared, repository, place.namespace) ? undefined : foreignText(image, tenant)
}

/** The repository an image of ours is of. */
export const repositoryOf = (image: string): string =>
  image
    .slice(image.indexOf('/') + 1)
    .replace(/@.*$/, '')
    .replace(/:.*$/, '')

/** Is the image the registry's, written in another way than the two? */
export function isOtherWay(at: Installation, { addresses }: Pick<Tenants, 'addresses'>, image: string): boolean {
  const { own, other, address, harmless } = spellings(at)
  if (own.some((start) => image.startsWith(start))) return false
  const low = image.toLowerCase()
  if (new RegExp(other).test(low)) return true
  if (new RegExp(address).test(low) && !new RegExp(harmless).test(low)) return true
  return addresses.some((one) => low.startsWith(`${one}:`) || low.startsWith(`${one}/`))
}

const idText = (image: string): string =>
  `image "${image}" is an image id, which starts what a node has cached, whoever pulled it: write a name`

const otherWayText = (at: Installation, image: string): string =>
  `image "${image}" is no way to name the registry: write localhost:${at.port}/REPOSITORY`

const foreignText = (image: string, { namespace }: { readonly namespace: string }): string =>
  `image "${image}" belongs to tenant ${namespace}`
