#!/usr/bin/env node
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
// This file must parse on Node 20, where what it imports does not run: nothing newer up here.
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const [major, minor] = process.versions.node.split('.').map(Number)

if (major > 22 || (major === 22 && minor >= 19)) {
  module.enableCompileCache?.()
  const { main } = await import('../dist/main.js')
  await main(root)
} else {
  // A checkout brings its own Node as a dependency.
  const own = `${root}node_modules/node/bin/node`
  if (existsSync(own)) {
    const { status, signal } = spawnSync(own, process.argv.slice(1), { stdio: 'inherit' })
    process.exitCode = status ?? (signal === 'SIGINT' ? 130 : 143)
  } else {
    process.stderr.write(`regctl needs Node 22.19 or newer; this is ${process.versions.node}\n`)
    process.exitCode = 3
  }
}
