import type { V1Node } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { firewallOf } from '../../../src/domain/open-ports/firewall.ts'
import { addressesOf } from '../../../src/domain/open-ports/node-address.ts'

const node = (providerID: string, labels: Readonly<Record<string, string>>): V1Node => ({
  metadata: { name: 'n', labels },
  spec: { providerID },
})

const command = (...nodes: readonly V1Node[]) => firewallOf(nodes, 443, 'registry-ports-web-443')?.command

describe('the command that lets a port in', () => {
  test('GKE', () => {
    const gke = node('gce://my-project/europe-west1-b/gke-c-pool-1', { 'cloud.google.com/gke-nodepool': 'pool' })
    const ask = (what: string) =>
      `"$(gcloud compute instances describe gke-c-pool-1 --project my-project --zone europe-west1-b --format='value(${what})')"`
    expect(command(gke)).toBe(
      `gcloud compute firewall-rules create registry-ports-web-443 --project my-project --network ${ask('networkInterfaces[0].network.basename()')} --target-tags ${ask('tags.items[0]')} --source-ranges 0.0.0.0/0 --allow tcp:443`,
    )
  })

  test('EKS', () => {
    const eks = node('aws:///eu-central-1a/i-0abc', { 'eks.amazonaws.com/nodegroup': 'g' })
    expect(command(eks)).toBe(
      `aws ec2 authorize-security-group-ingress --region eu-central-1 --group-id "$(aws ec2 describe-instances --region eu-central-1 --instance-ids i-0abc --query 'Reservations[0].Instances[0].SecurityGroups[0].GroupId' --output text)" --protocol tcp --port 443 --cidr 0.0.0.0/0`,
    )
  })

  test('AKS', () => {
    const id =
      'azure:///subscriptions/s-1/resourceGroups/mc_a_b_west/providers/Microsoft.Compute/virtualMachineScaleSets/x/virtualMachines/0'
    const place = '--subscription s-1 --resource-group mc_a_b_west'
    expect(command(node(id, { 'kubernetes.azure.com/cluster': 'c' }))).toBe(
      `az network nsg rule create ${place} --nsg-name "$(az network nsg list ${place} --query '[0].name' --output tsv)" --name registry-ports-web-443 --priority 1443 --direction Inbound --access Allow --protocol Tcp --source-address-prefixes Internet --destination-port-ranges 443`,
    )
  })

  test('none for machines that only are in such a cloud, and for others', () => {
    expect(command(node('gce://p/z/i', {}), node('aws:///z/i-1', {}), node('', {}))).toBeUndefined()
    expect(command()).toBeUndefined()
  })

  test('a name that the cloud gave is a word of the shell whatever is in it', () => {
    const gke = node('gce://p;x/z/$(i)', { 'cloud.google.com/gke-nodepool': 'pool' })
    expect(command(gke)).toContain("--project 'p;x'")
    expect(command(gke)).toContain("describe '$(i)' ")
  })
})

test('a node is reached by its external addresses, else by those it has', () => {
  const at = (...addresses: readonly [string, string][]): V1Node => ({
    status: { addresses: addresses.map(([type, address]) => ({ type, address })) },
  })
  expect(
    addressesOf(at(['InternalIP', '10.0.0.1'], ['ExternalIP', '192.0.2.1'], ['ExternalIP', '2001:db8::1'])),
  ).toEqual(['192.0.2.1', '2001:db8::1'])
  expect(addressesOf(at(['Hostname', 'n'], ['InternalIP', '10.0.0.1']))).toEqual(['10.0.0.1'])
  expect(addressesOf({})).toEqual([])
})
