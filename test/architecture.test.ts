import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

/** Who may import whom; `import type` is free. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  commands: ['app', 'domain', 'errors', 'command', 'flags', 'ui'],
  flags: ['domain', 'errors'],
  hooks: [],
  app: ['app', 'domain', 'ports', 'errors'],
  domain: ['domain', 'errors'],
  adapters: ['adapters', 'domain', 'ports', 'errors'],
  ui: ['ui', 'domain', 'errors'],
  command: ['context', 'domain', 'errors', 'ui'],
  context: ['adapters', 'ui'],
  main: [],
  ports: [],
  errors: [],
}

/** Each package's one home, so that replacing it touches one place. */
const HOME: Readonly<Record<string, RegExp>> = {
  '@oclif/core': /^(commands\/|flags\/|hooks\/|command\.ts|main\.ts)/,
  '@bufbuild/protobuf': /^adapters\/mesh\//,
  asn1js: /^adapters\/mesh\//,
  '@kubernetes/client-node': /^adapters\/kube\//,
  execa: /^adapters\/exec\.ts/,
  listr2: /^ui\/live-step\.ts/,
  chalk: /^ui\/theme\.ts/,
  diff: /^ui\//,
  ws: /^adapters\/kube\//,
  yaml: /^(adapters\/assets\.ts|ui\/|domain\/skaffold\/)/,
}

type Import = { readonly file: string; readonly specifier: string }

const sources = globSync('src/**/*.ts', { cwd: root }).map((file) => file.slice('src/'.length))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const imports: readonly Import[] = sources.flatMap((file) =>
  [...read(`src/${file}`).matchAll(/^(?:import|export)\s+(?!type\b)[^'"]*?from '([^']+)'|\bimport\('([^']+)'\)/gm)].map(
    (match) => ({ file, specifier: match[1] ?? match[2] ?? '' }),
  ),
)
const layerOf = (file: string): string => file.split('/')[0]?.replace(/\.ts$/, '') ?? ''

test('layers import only what they may', () => {
  const wrong = imports
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ file, specifier }) => ({ file, target: normalize(join(dirname(file), specifier)) }))
    .filter(({ file, target }) => !MAY_IMPORT[layerOf(file)]?.includes(layerOf(target)))
  expect(wrong).toEqual([])
})

test('every package has its home', () => {
  const wrong = imports
    .filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
    .filter(({ file, specifier }) => {
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/')
      return !HOME[name]?.test(file)
    })
  expect(wrong).toEqual([])
})

test('files stay small: 400 lines, and 80 for a command', () => {
  const files = [...sources.map((file) => `src/${file}`), ...globSync('test/**/*.ts', { cwd: root })]
  const long = files
    .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
    .filter(({ file, lines }) => lines > (file.startsWith('src/commands/') ? 80 : 400))
  expect(long).toEqual([])
})

test('names say what a file is about', () => {
  const vague = /(^|[/-])(utils?|helpers?|manager|common|shared|misc)([.-]|$)/
  expect(sources.filter((file) => vague.test(file) || file !== file.toLowerCase() || file.includes('_'))).toEqual([])
})

test('only commands and hooks have a default export', () => {
  const wrong = sources.filter(
    (file) => /^export default/m.test(read(`src/${file}`)) !== /^(commands|hooks)\//.test(file),
  )
  expect(wrong).toEqual([])
})
