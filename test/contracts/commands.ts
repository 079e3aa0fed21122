import { join } from 'node:path'
import { type Command, Config } from '@oclif/core'
import pjson from '../../package.json' with { type: 'json' }

/** Every command as the manifest describes it, read from the sources, so that no build is needed. */
export async function loadCommands(): Promise<readonly Command.Loadable[]> {
  const source = { ...pjson, oclif: { ...pjson.oclif, commands: './src/commands' } }
  const options = { root: join(import.meta.dirname, '../..'), pjson: source, ignoreManifest: true }
  const config = await Config.load(options as never)
  return config.commands.filter(({ hidden }) => hidden !== true).sort((one, other) => one.id.localeCompare(other.id))
}

/** What scripts rely on: a line that vanishes from here is a breaking change. */
export function snapshot(commands: readonly Command.Loadable[]): string {
  const described = commands.map(({ id, args, flags, aliases, enableJsonFlag }) => ({
    command: id,
    aliases,
    args: Object.keys(args),
    flags: Object.keys(flags).sort(),
    chars: Object.values(flags)
      .flatMap(({ char }) => char ?? [])
      .sort(),
    json: enableJsonFlag,
  }))
  return `${JSON.stringify(described, undefined, 2)}\n`
}
