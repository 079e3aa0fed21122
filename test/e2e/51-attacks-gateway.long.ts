import { afterAll, describe } from 'vitest'
import { layout } from './attacks/layout.ts'
import { regctlOk } from './cluster.ts'

// Read by all of them, so it is said before any is there.
layout.nodeProxy = 'gateway'

afterAll(async () => {
  await regctlOk(['up', '--node-proxy', 'sidecar'])
})

describe('paths', () => import('./50-attacks-10-paths.e2e.ts').then(() => {}))
describe('strangers', () => import('./50-attacks-20-strangers.e2e.ts').then(() => {}))
describe('rejected', () => import('./50-attacks-30-rejected.e2e.ts').then(() => {}))
describe('node', () => import('./50-attacks-40-node.e2e.ts').then(() => {}))
describe('restart', () => import('./50-attacks-45-restart.e2e.ts').then(() => {}))
