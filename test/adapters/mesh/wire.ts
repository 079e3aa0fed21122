/** Protobuf and gRPC by hand, apart from the library that the adapter uses. */
export function fieldsOf(framed: Buffer): ReadonlyMap<number, string | number> {
  const fields = new Map<number, string | number>()
  const bytes = framed.subarray(5)
  let at = 0
  const varint = (): number => {
    let [value, shift, byte] = [0, 0, 128]
    while (byte >= 128) {
      byte = bytes[at++] ?? 0
      value |= (byte & 127) << shift
      shift += 7
    }
    return value
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = varint()
    if ((tag & 7) === 0) fields.set(tag >> 3, number)
    else {
      fields.set(tag >> 3, bytes.toString('utf8', at, at + number))
      at += number
    }
  }
  return fields
}

/** `{cert_chain: 1 repeated}` in a frame. */
export function encodeAnswer(chain: readonly string[]): Buffer {
  const parts = chain.map((text) => {
    const content = Buffer.from(text)
    return Buffer.concat([Buffer.from([0x0a, (content.length & 127) | 128, content.length >> 7]), content])
  })
  const message = Buffer.concat(parts)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}
