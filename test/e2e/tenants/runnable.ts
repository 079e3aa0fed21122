import { expect } from 'vitest'
import { inside } from '../attacks/kit.ts'
import { blobScript, type Client, LOCAL } from '../clients.ts'

export type Runnable = {
  readonly digest: string
  /** The id a node knows it by: the digest of its config. */
  readonly id: string
}

/** Pushes an image that runs: busybox, and a word of its own, so that no node has it already. */
export async function pushRunnable(client: Client, repository: string, tag: string): Promise<Runnable> {
  const type = 'application/vnd.oci.image'
  const script = blobScript(
    repository,
    LOCAL,
    `cd $(mktemp -d) && mkdir -p root/bin && cp $(readlink -f /proc/$$/exe) root/bin/busybox && cp root/bin/busybox root/bin/sleep && head -c 16 /dev/urandom >root/word
tar cf layer -C root . && l=$(put layer) && size=$(wc -c <layer)
case $(uname -m) in aarch64) arch=arm64 ;; *) arch=amd64 ;; esac
printf '{"architecture":"%s","os":"linux","config":{"Cmd":["/bin/sleep","1000"]},"rootfs":{"type":"layers","diff_ids":["%s"]}}' $arch $l >config && c=$(put config) || exit 9
printf '{"schemaVersion":2,"mediaType":"${type}.manifest.v1+json","config":{"mediaType":"${type}.config.v1+json","size":%d,"digest":"%s"},"layers":[{"mediaType":"${type}.layer.v1.tar","size":%d,"digest":"%s"}]}' $(wc -c <config) $c $size $l >m
curl -sf -m 20 -o /dev/null -X PUT -H 'Content-Type: ${type}.manifest.v1+json' --data-binary @m $base/v2/$repo/manifests/${tag} && echo sha256:$(sha256sum m | cut -d ' ' -f 1) $c`,
  )
  const { stdout, stderr, exitCode } = await inside(client.namespace, client.name, script)
  expect(exitCode, `push of ${repository}:${tag}: ${stderr}`).toBe(0)
  const [digest = '', id = ''] = stdout.trim().split(' ')
  return { digest, id }
}
