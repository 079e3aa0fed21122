import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

/** istio.v1.auth.IstioCertificateService/CreateCertificate (istio api security/v1alpha1/ca.proto), one call with one answer. */
export const METHOD = '/istio.v1.auth.IstioCertificateService/CreateCertificate'

const CSR = 1
const VALIDITY_DURATION = 3
const CERT_CHAIN = 1

/** A gRPC message is a byte for compression and four for its length, then protobuf. */
const PREFIX = 5

export function encodeRequest(csr: string, seconds: number): Buffer {
  const message = new BinaryWriter()
    .tag(CSR, WireType.LengthDelimited)
    .string(csr)
    .tag(VALIDITY_DURATION, WireType.Varint)
    .int64(seconds)
    .finish()
  const prefix = Buffer.alloc(PREFIX)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** The chain in PEM, the leaf first and the root last. */
export function decodeAnswer(framed: Buffer): readonly string[] {
  if (framed.length < PREFIX || framed[0] !== 0 || framed.readUInt32BE(1) !== framed.length - PREFIX)
    throw new Error('the answer is no gRPC message')
  const reader = new BinaryReader(framed.subarray(PREFIX))
  const chain: string[] = []
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (field === CERT_CHAIN && type === WireType.LengthDelimited) chain.push(reader.string())
    else reader.skip(type, field)
  }
  return chain
}
