import { RegctlCommand } from '../command.ts'
import type { KubeObject } from '../domain/kube-object.ts'
import { givenSettings, settingFlags } from '../flags/settings.ts'

export default class Render extends RegctlCommand {
  static override summary = 'Print all that up and the grants apply, as YAML.'
  static override description =
    'For review and GitOps. The http secret is never printed: create Secret registry-http with one key "secret" yourself when you do not use up.'
  static override examples = ['<%= config.bin %> render > registry.yaml']
  static override flags = settingFlags

  async run(): Promise<{ readonly objects: readonly KubeObject[] }> {
    const { flags } = await this.parse(Render)
    const ports = await this.ports(flags)
    const [{ render }, { documents }] = await Promise.all([
      import('../app/install/render.ts'),
      import('../ui/documents.ts'),
    ])
    const objects = await render(ports, flags.namespace, givenSettings(flags))
    this.log(documents(objects))
    return { objects }
  }
}
