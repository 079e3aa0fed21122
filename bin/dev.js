#!/usr/bin/env node
// The CLI on its sources: Node strips the types (22.18 and newer), nothing is built.
import { fileURLToPath } from 'node:url'
import pjson from '../package.json' with { type: 'json' }
import { main } from '../src/main.ts'

pjson.oclif.commands = './src/commands'
pjson.oclif.hooks.command_not_found = './src/hooks/command-not-found'
await main(fileURLToPath(new URL('..', import.meta.url)), { pjson })
