import net, { type Socket } from 'node:net'

const ACCEPT = 'application/vnd.oci.image.manifest.v1+json'

/** Clients that ask for the image's layer and take nothing of it. */
export async function stalledPulls(
  port: number,
  repository: string,
  tag: string,
  count: number,
): Promise<readonly Socket[]> {
  const url = `http://localhost:${port}/v2/${repository}/manifests/${tag}`
  const manifest = (await (await fetch(url, { headers: { accept: ACCEPT } })).json()) as {
    readonly layers: readonly { readonly digest: string }[]
  }
  const blob = `/v2/${repository}/blobs/${manifest.layers[0]?.digest}`
  return Array.from({ length: count }, () => {
    const socket = net.connect(port, '127.0.0.1').pause()
    socket.write(`GET ${blob} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`)
    return socket
  })
}
