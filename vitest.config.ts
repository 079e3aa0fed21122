import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Otherwise vitest swallows what a command prints (https://github.com/oclif/test/issues/645).
    disableConsoleIntercept: true,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**', 'test/contracts/**'] },
      },
      { extends: true, test: { name: 'contracts', include: ['test/contracts/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e.ts'],
          globalSetup: 'test/e2e/setup.ts',
          // The suites share one cluster and build on each other, in the order of their names.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
