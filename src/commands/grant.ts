import { Flags } from '@oclif/core'
import type { GrantResult } from '../app/grant/grant.ts'
import { RegctlCommand } from '../command.ts'
import { milliseconds } from '../domain/duration.ts'
import { grantArgs, podLabel, serviceAccountFlag } from '../flags/grant.ts'

export default class Grant extends RegctlCommand {
  static override summary = "Let a namespace's workloads push to a repository, by their identity."
  static override description =
    'Also gives the namespace what its pods need to have localhost:5000: Istio injection and a listener. Returns when the registry follows; a grant that cannot be proven is taken back.'
  static override examples = [
    {
      description: 'example-builder may push example and all below it.',
      command: '<%= config.bin %> grant example-builder example',
    },
    {
      description: 'One service account, one repository.',
      command: '<%= config.bin %> grant ci team/app --service-account pusher --exact',
    },
  ]
  static override args = grantArgs
  static override flags = {
    'service-account': serviceAccountFlag,
    exact: Flags.boolean({ summary: 'The repository alone, nothing below it.', default: false }),
    'read-only': Flags.boolean({ summary: 'Pull the repository and list its tags, nothing else.', default: false }),
    pods: Flags.string({ summary: 'Only pods with this label get the listener.', helpValue: 'KEY=VALUE' }),
    inject: Flags.boolean({
      summary: 'Turn injection on although applications there run without a proxy.',
      default: false,
    }),
    'merge-sidecar': Flags.boolean({ summary: "Put the listener into the namespace's own Sidecar.", default: false }),
    timeout: Flags.string({ summary: 'How long to wait for the proof.', default: '30s', helpValue: 'DURATION' }),
  }

  async run(): Promise<GrantResult> {
    const { args, flags } = await this.parse(Grant)
    const timeoutMs = milliseconds(flags.timeout)
    const pods = flags.pods === undefined ? {} : { pods: podLabel(flags.pods) }
    const serviceAccount = flags['service-account']
    const ports = await this.ports(flags)
    const { grant } = await import('../app/grant/grant.ts')
    const result = await grant(
      ports,
      flags.namespace,
      {
        namespace: args.namespace,
        repository: args.repository,
        exact: flags.exact,
        readOnly: flags['read-only'],
        ...(serviceAccount === undefined ? {} : { serviceAccount }),
      },
      { ...pods, inject: flags.inject, mergeSidecar: flags['merge-sidecar'], timeoutMs },
    )
    for (const warning of result.warnings) ports.report.warn(warning)
    for (const [key, value] of Object.entries(result.addedLabels))
      this.log(`Labelled namespace ${args.namespace} with ${key}=${value}; the last revoke takes it off.`)
    const what = `${flags['read-only'] ? 'pull' : 'push to'} ${args.repository}${flags.exact ? '' : ' and all below it'}`
    this.log(
      `${serviceAccount ?? 'Every service account'} of ${args.namespace} may ${what}${result.changed ? '' : ' (nothing to change)'}.`,
    )
    if (result.provenIn === 0) ports.report.warn('no registry pod is ready, so nothing is proven yet: regctl status')
    return result
  }
}
