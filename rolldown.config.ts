import { globSync } from 'node:fs'
import { defineConfig } from 'rolldown'

// One entry per command: oclif loads the one it runs and nothing else.
const entries = ['src/main.ts', ...globSync('src/{commands,hooks}/**/*.ts')]

export default defineConfig({
  input: Object.fromEntries(entries.map((file) => [file.slice('src/'.length, -'.ts'.length), file])),
  platform: 'node',
  // Optional accelerators of ws, and the transpilers oclif would use in development.
  external: ['bufferutil', 'utf-8-validate', 'typescript', 'ts-node', 'tsx'],
  // client-node does not say so of itself; with the hint its 758 generated models stay out.
  treeshake: { moduleSideEffects: (id) => !id.includes('@kubernetes/client-node') },
  output: { dir: 'dist', format: 'esm', cleanDir: true, minify: 'dce-only', chunkFileNames: 'chunks/[name]-[hash].js' },
})
