import { globSync } from 'node:fs'
import http from 'node:http'
import { defineConfig, type Plugin } from 'rolldown'

// One entry per command: oclif loads the one it runs and nothing else.
const entries = ['src/main.ts', ...globSync('src/{commands,hooks}/**/*.ts')]

const PLAIN_HTTP = '\0plain-http'

/**
 * An ES module that imports Node's `http` has each of its exports read, and three of them load the undici inside of Node. That takes
 * as long as Node itself takes to start, and nothing here uses it.
 */
const plainHttp: Plugin = {
  name: 'plain-http',
  resolveId: (id, _importer, { kind }) => (kind !== 'require-call' && /^(node:)?http$/.test(id) ? PLAIN_HTTP : null),
  load: (id) => (id === PLAIN_HTTP ? plainHttpSource() : null),
}

function plainHttpSource(): string {
  const exports = Object.entries(Object.getOwnPropertyDescriptors(http))
  const plain = exports.filter(([, { get }]) => get === undefined).map(([name]) => name)
  return [
    `const http = process.getBuiltinModule('node:http')`,
    'export default http',
    `export const { ${plain.join(', ')} } = http`,
  ].join('\n')
}

export default defineConfig({
  input: Object.fromEntries(entries.map((file) => [file.slice('src/'.length, -'.ts'.length), file])),
  platform: 'node',
  // Optional accelerators of ws, and the transpilers oclif would use in development.
  external: ['bufferutil', 'utf-8-validate', 'typescript', 'ts-node', 'tsx'],
  plugins: [plainHttp],
  // client-node does not say so of itself; with the hint its 758 generated models stay out.
  treeshake: { moduleSideEffects: (id) => !id.includes('@kubernetes/client-node') },
  output: { dir: 'dist', format: 'esm', cleanDir: true, minify: 'dce-only', chunkFileNames: 'chunks/[name]-[hash].js' },
})
