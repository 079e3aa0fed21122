export const varint = (value: number): readonly number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]

/** A field that carries bytes or text. */
export const field = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes])

/** As gRPC sends a message. */
export function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** Every value of one field that carries bytes. */
export function fieldsOf(message: Buffer, wanted: number): readonly Buffer[] {
  const found: Buffer[] = []
  let at = 0
  const number = () => {
    let [value, shift, byte] = [0, 0, 128]
    while (byte >= 128) {
      byte = message[at++] ?? 0
      value += (byte & 127) * 2 ** shift
      shift += 7
    }
    return value
  }
  while (at < message.length) {
    const tag = number()
    const value = number()
    if ((tag & 7) !== 2) continue
    if (tag >>> 3 === wanted) found.push(message.subarray(at, at + value))
    at += value
  }
  return found
}
