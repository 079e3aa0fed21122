import { Flags } from '@oclif/core'
import type { ExposeResult } from '../app/expose/expose.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import { askedExposure, exposeFlags, hostArg } from '../flags/expose.ts'

export default class Expose extends RegctlCommand {
  static override summary = 'Let everybody who reaches a host name pull, the whole registry or some repositories.'
  static override description =
    'By a gateway of its own that ends TLS and may read what is exposed, nothing else; nobody writes by it. Given again, the list of repositories is what is exposed from then on. A repository is itself alone, NAME/* is it and all below it. Returns when the registry and the gateway follow.'
  static override examples = [
    {
      description: 'The whole registry, with the certificate of a Secret in namespace kube-registry-expose.',
      command: '<%= config.bin %> expose registry.example.org --tls registry-cert',
    },
    {
      description: 'For clients with an identity of the mesh, end to end.',
      command: '<%= config.bin %> expose registry.example.org --tls istio',
    },
    {
      description: 'One repository, and all below another.',
      command: "<%= config.bin %> expose registry.example.org shop/app 'public/*' --tls registry-cert",
    },
  ]
  static override strict = false
  static override args = { host: hostArg }
  static override usage = 'expose HOST [REPO…] [FLAGS]'
  static override flags = {
    ...exposeFlags,
    yes: Flags.boolean({ char: 'y', summary: 'Expose by a shared Gateway without asking.', default: false }),
    timeout: Flags.string({ summary: 'How long to wait.', default: '2m', helpValue: 'DURATION' }),
  }

  async run(): Promise<ExposeResult> {
    const { argv, flags } = await this.parse(Expose)
    const timeoutMs = milliseconds(flags.timeout)
    const asked = askedExposure(argv as string[], flags)
    const ports = await this.exposePorts(flags)
    const [{ planExposure, needsConsent, expose }, { exposeText }] = await Promise.all([
      import('../app/expose/expose.ts'),
      import('../ui/expose-text.ts'),
    ])
    const plan = await ports.report.step('Look at the cluster', () => planExposure(ports, flags.namespace, asked))
    if (needsConsent(plan)) {
      const [{ sharedWarning }, { confirm }] = await Promise.all([
        import('../app/expose/foreign-gateway.ts'),
        import('../ui/confirm.ts'),
      ])
      ports.report.warn(sharedWarning(plan.wanted))
      if (!flags.yes && !(await confirm('Expose it there?', this.signal)))
        return { exposure: plan.wanted, changed: false, addresses: [], provenIn: 0 }
    }
    const result = await expose(ports, plan, { timeoutMs })
    this.log(exposeText(result))
    if (result.provenIn === 0) ports.report.warn('no registry pod is ready, so nothing is proven yet: regctl status')
    return result
  }
}
