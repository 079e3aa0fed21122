import { grantFrom } from '../at.ts'

/** Grants that stand beside each other, overlap, contain each other or only look alike. */
const SETS: readonly (readonly string[])[] = [
  [],
  ['ci team'],
  ['ci team read'],
  ['ci team/app exact'],
  ['ci team/app exact read'],
  ['ci/pusher team/app'],
  ['ci/pusher team/app exact'],
  ['ci team', 'ci team/app exact'],
  ['ci team exact', 'ci team/app'],
  ['ci team exact', 'ci team/app exact'],
  ['ci team exact', 'ci team'],
  ['ci team read', 'ci team/app'],
  ['ci team', 'ci team/app read'],
  ['ci team', 'ci team read'],
  ['ci team exact', 'ci team exact read'],
  ['ci team', 'ci/pusher team/app exact'],
  ['ci team read', 'ci/pusher team'],
  ['ci/pusher team read', 'ci/other team'],
  ['ci/pusher team exact', 'ci/default team/app'],
  ['ci/pusher team/app exact', 'ci team/app/web'],
  ['ci team', 'ci2 team', 'web other read'],
  ['ci team/app', 'ci2 team/app2', 'web team exact'],
  ['web other', 'web a/team exact', 'ci2/pusher team read', 'ci/pusher team/app/web exact read'],
]

/** With people among the workloads of the same namespace, as far as `grant` allows it. */
const DEVELOPERS: readonly (readonly string[])[] = [
  ['ci/dev team user:ada'],
  ['ci/dev team/app exact user:ada', 'ci/dev other read user:ada'],
  ['ci/dev team user:ada', 'ci team/app'],
  ['ci/dev team/app group:a', 'ci/other team user:bob', 'ci/pusher team exact', 'ci team read'],
  ['ci/dev other user:ada', 'ci2/dev team user:ada', 'web team', 'web/dev team/app read user:bob'],
]

export const developerSets = DEVELOPERS.map((texts) => ({ name: texts.join(', '), grants: texts.map(grantFrom) }))

export const grantSets = SETS.map((texts) => ({
  name: texts.length === 0 ? 'no grant' : texts.join(', '),
  grants: texts.map(grantFrom),
}))
