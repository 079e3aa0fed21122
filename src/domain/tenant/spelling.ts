import { DEVELOPERS, type Installation, REGISTRY } from '../installation.ts'

/**
 * Expressions that JavaScript and RE2 (CEL's `matches`) read alike, so that what admission refuses and what regctl says
 * of pods that run already is one thing. They look at a whole image, in lower case but where it says otherwise.
 */
export type Spellings = {
  /** The two ways to name the registry; in the image's own case. */
  readonly own: readonly string[]
  /** An image of the registry, well formed; in its own case. */
  readonly wellFormed: string
  /** Names the registry by other words. */
  readonly other: string
  /** Might, by an address. */
  readonly address: string
  /** An address on the registry's port that is neither of this machine nor written oddly. */
  readonly harmless: string
}

const COMPONENT = '[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*'
const BYTE = '(0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])'
/** A dotted quad outside 0.0.0.0/8 and 127.0.0.0/8, as it is usually written. */
export const QUAD = `([1-9]|[1-9][0-9]|1[01][0-9]|12[0-689]|1[3-9][0-9]|2[0-4][0-9]|25[0-5])(\\.${BYTE}){3}`
/** Global and local unicast addresses; ::1, ::, mapped and scoped ones are none of them. */
const SIX = '\\[([23][0-9a-f]{3}|f[cd][0-9a-f]{2}):[0-9a-f:]*\\]'

/** No name at all: a runtime takes it, and each of its first parts, for what it has in its cache, whoever pulled that. */
export const IMAGE_ID = '^sha(256|384|512):'

const literal = (text: string): string => text.replaceAll('.', '\\.')

/** Everything by which a container runtime might come to the registry, whatever it makes of it. */
export function spellings(at: Installation): Spellings {
  const port = `:[+]?0*${at.port}`
  const loopback = '(([^/]*\\.)?localhost|localhost[46]?(\\.localdomain[46]?)?|ip6-(localhost|loopback)|loopback)'
  const service = `(${REGISTRY}|${DEVELOPERS})`
  const domain = `\\.${literal(at.namespace)}(\\.svc(\\.${literal(at.clusterDomain)})?)?`
  return {
    own: [`localhost:${at.port}/`, `127.0.0.1:${at.port}/`],
    wellFormed: `^(localhost|127\\.0\\.0\\.1):${at.port}/${COMPONENT}(/${COMPONENT})*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@[A-Za-z0-9_+.-]+:[0-9a-fA-F]+)?$`,
    other: `^(${[
      `${loopback}\\.*${port}/`,
      `${service}(${domain}\\.*(:[^/]*)?|\\.*:[^/]*|\\.+)/`,
      // What is no port, or leaves room for another: two colons without brackets, words, more than 65535.
      '[^/]*://',
      '[^/[]*:[^/]*[^0-9/][^/]*/',
      '[^/]*:0*([0-9]{6,}|[7-9][0-9]{4}|6[6-9][0-9]{3}|65[6-9][0-9]{2}|655[4-9][0-9]|6553[6-9])/',
      // No host is written with such characters.
      `[^/]*[^a-z0-9.:_/[\\]-][^/]*${port}/`,
    ].join('|')})`,
    address: `^(([^/:[]*\\.)?([0-9]+|0x[0-9a-f]*)\\.*|\\[[^/]*)${port}/`,
    harmless: `^(${QUAD}|${SIX}):${at.port}/`,
  }
}
