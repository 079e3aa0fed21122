import { Args, Flags } from '@oclif/core'
import type { DropIn } from '../app/clients/drop-in.ts'
import { RegctlCommand } from '../command.ts'
import { readerOf } from '../domain/clients/containers-conf.ts'
import { DEFAULTS } from '../domain/settings.ts'

export default class Config extends RegctlCommand {
  static override summary = 'Write the file a client needs to take localhost as plain HTTP.'
  static override description =
    'podman, buildah and skopeo read one and the same drop-in below ~/.config/containers. No other client needs a file: regctl env says what they need.'
  static override examples = [
    { description: 'For podman and buildah.', command: '<%= config.bin %> config podman' },
    { description: 'Take it away.', command: '<%= config.bin %> config podman --undo' },
  ]
  static override args = {
    client: Args.string({
      description: 'The client: podman, buildah or skopeo.',
      required: true,
      parse: async (text) => readerOf(text),
    }),
  }
  static override flags = {
    port: Flags.integer({
      summary: 'Port of the registry on this machine.',
      helpValue: 'PORT',
      default: DEFAULTS.port,
      min: 1,
      max: 65_535,
    }),
    undo: Flags.boolean({ summary: 'Take the file away.', default: false, exclusive: ['print'] }),
    print: Flags.boolean({ summary: 'Print the file, and write nothing.', default: false }),
  }

  async run(): Promise<DropIn | { readonly text: string }> {
    const { flags } = await this.parse(Config)
    if (flags.print) {
      const { containersConf } = await import('../domain/clients/containers-conf.ts')
      const text = containersConf(flags.port)
      this.log(text.trimEnd())
      return { text }
    }
    const [files, { setDropIn }] = await Promise.all([this.files(), import('../app/clients/drop-in.ts')])
    const { path, changed } = await setDropIn(files, flags.port, flags.undo)
    const what = flags.undo ? (changed ? 'Removed' : 'There is no') : changed ? 'Wrote' : 'Nothing to change in'
    this.log(`${what} ${path}`)
    return { path, changed }
  }
}
