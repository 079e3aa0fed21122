import type { KubeObject } from '../../src/domain/kube-object.ts'

/** `key` and `key=value`, joined by commas: what regctl asks for. Anything else is a test's mistake. */
export function fitsSelector({ metadata }: KubeObject, selector: string): boolean {
  return selector.split(',').every((part) => {
    const [, key = '', equals, value] = /^([\w./-]+)(?:(=)([\w.-]*))?$/.exec(part) ?? []
    if (key === '') throw new Error(`the fake does not know label selector "${part}"`)
    const label = metadata.labels?.[key]
    return equals === undefined ? label !== undefined : label === value
  })
}
