import type { V1Node } from '@kubernetes/client-node'
import { shellWord } from '../shell-word.ts'

/** The command of a cloud that lets the port in, by what its nodes say of themselves. */
export type Firewall = { readonly cloud: 'GKE' | 'EKS' | 'AKS'; readonly command: string }

const GCE = /^gce:\/\/([^/]+)\/([^/]+)\/([^/]+)$/
const AWS = /^aws:\/\/\/([^/]+)\/(i-[0-9a-f]+)$/
const AZURE = /^azure:\/\/\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\//i

/** Undefined where the nodes are of no managed cluster that is known. */
export function firewallOf(nodes: readonly V1Node[], port: number, name: string): Firewall | undefined {
  for (const node of nodes) {
    const found = gke(node, port, name) ?? eks(node, port) ?? aks(node, port, name)
    if (found !== undefined) return found
  }
  return undefined
}

const hasLabel = ({ metadata }: V1Node, start: string): boolean =>
  Object.keys(metadata?.labels ?? {}).some((key) => key.startsWith(start))

/** The network and the tag of its nodes GKE makes up; an instance knows them. */
function gke(node: V1Node, port: number, name: string): Firewall | undefined {
  const [, project = '', zone = '', instance = ''] = GCE.exec(node.spec?.providerID ?? '') ?? []
  if (project === '' || !hasLabel(node, 'cloud.google.com/gke-')) return undefined
  const words = [project, zone, instance].map(shellWord)
  const ask = (what: string) =>
    `"$(gcloud compute instances describe ${words[2]} --project ${words[0]} --zone ${words[1]} --format='value(${what})')"`
  return {
    cloud: 'GKE',
    command: [
      `gcloud compute firewall-rules create ${shellWord(name)} --project ${words[0]}`,
      `--network ${ask('networkInterfaces[0].network.basename()')} --target-tags ${ask('tags.items[0]')}`,
      `--source-ranges 0.0.0.0/0 --allow tcp:${port}`,
    ].join(' '),
  }
}

function eks(node: V1Node, port: number): Firewall | undefined {
  const [, zone = '', instance = ''] = AWS.exec(node.spec?.providerID ?? '') ?? []
  if (zone === '' || !hasLabel(node, 'eks.amazonaws.com/')) return undefined
  const region = shellWord(node.metadata?.labels?.['topology.kubernetes.io/region'] ?? zone.replace(/[a-z]$/, ''))
  const query = 'Reservations[0].Instances[0].SecurityGroups[0].GroupId'
  return {
    cloud: 'EKS',
    command: [
      `aws ec2 authorize-security-group-ingress --region ${region}`,
      `--group-id "$(aws ec2 describe-instances --region ${region} --instance-ids ${instance} --query '${query}' --output text)"`,
      `--protocol tcp --port ${port} --cidr 0.0.0.0/0`,
    ].join(' '),
  }
}

/** Rules are tried in the order of their numbers, each of which is there once. */
const priority = (port: number): number => 1000 + (port % 3000)

function aks(node: V1Node, port: number, name: string): Firewall | undefined {
  const [, subscription = '', group = ''] = AZURE.exec(node.spec?.providerID ?? '') ?? []
  if (group === '' || !hasLabel(node, 'kubernetes.azure.com/')) return undefined
  const place = `--subscription ${shellWord(subscription)} --resource-group ${shellWord(group)}`
  return {
    cloud: 'AKS',
    command: [
      `az network nsg rule create ${place} --nsg-name "$(az network nsg list ${place} --query '[0].name' --output tsv)"`,
      `--name ${shellWord(name)} --priority ${priority(port)} --direction Inbound --access Allow --protocol Tcp`,
      `--source-address-prefixes Internet --destination-port-ranges ${port}`,
    ].join(' '),
  }
}
