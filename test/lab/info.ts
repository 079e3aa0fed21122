import { readFile, writeFile } from 'node:fs/promises'
import { inState } from './paths.ts'

export interface LabNode {
  readonly name: string
  readonly ip: string
  /** Put this before a command to run it in the node's network namespace. */
  readonly exec: readonly string[]
}

export interface LabInfo {
  readonly kubeconfig: string
  readonly nodes: readonly LabNode[]
  /** A directory with kubectl, istioctl, crane and more. */
  readonly tools: string
  /** Names of the images that are loaded on every node. */
  readonly images: Readonly<Record<string, string>>
}

/** What `up` leaves once everything is ready: its presence says that an `up` came to its end. */
export interface LabRecord {
  readonly fingerprint: string
  readonly info: LabInfo
}

const file = inState('lab.json')

export async function readRecord(): Promise<LabRecord | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as LabRecord)
}

export const writeRecord = (record: LabRecord): Promise<void> => writeFile(file, JSON.stringify(record, undefined, 2))
