import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

export const source = import.meta.dirname

/** Everything that is built, keyed by content; the only thing `down` leaves behind. */
export const cacheDirectory = resolve(process.env.REGCTL_LAB_CACHE ?? join(homedir(), '.cache', 'regctl-lab'))

/** Fixed, so that another checkout's `up` and `down` find this lab, whole or killed halfway. */
export const state = '/var/lib/regctl-lab'

export const inState = (...parts: readonly string[]): string => join(state, ...parts)
export const kubeconfig = inState('admin.conf')
export const tools = inState('tools')
