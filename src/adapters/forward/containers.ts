import type { Containers } from '../../ports/forward.ts'
import { afterwards, supervise } from '../exec.ts'
import { mountedDirectory } from './mounted-directory.ts'
import { isGone, ownerOf } from './owner.ts'

export const containers: Containers = {
  directory: mountedDirectory,
  owner: () => ownerOf(process.pid),
  isGone,
  run(argv, last) {
    // The engine's program passes a signal on to the container; where it was killed itself, the second one is left.
    const over = afterwards(last)
    const program = supervise(argv, () => {})
    return {
      ended: program.ended.then(({ stderr }) => stderr),
      async stop() {
        program.stop()
        await Promise.all([program.ended, over()])
      },
    }
  },
}
