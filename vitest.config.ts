import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The suites on the cluster build on each other; vitest would start with those that took longest last time. */
class ByName extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.sort((one, other) => one.moduleId.localeCompare(other.moduleId, 'en'))
  }
}

export default defineConfig({
  test: {
    // Otherwise vitest swallows what a command prints (https://github.com/oclif/test/issues/645).
    disableConsoleIntercept: true,
    sequence: { sequencer: ByName },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/contracts/**'],
          // No test changes what a module holds, and loading them once for all halves the time.
          isolate: false,
          // Tests of the shell start processes, on a machine that may be busy.
          testTimeout: 30_000,
        },
      },
      { extends: true, test: { name: 'contracts', include: ['test/contracts/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: [
            'test/e2e/**/*.e2e.ts',
            ...(process.env.REGCTL_E2E_LONG === undefined ? [] : ['test/e2e/**/*.long.ts']),
          ],
          globalSetup: 'test/e2e/setup.ts',
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
