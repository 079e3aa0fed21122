import type { Reporter } from '../../src/ports.ts'

/** Remembers what was said; steps that failed are marked. */
export class RecordingReporter implements Reporter {
  readonly steps: string[] = []
  readonly notes: string[] = []
  readonly infos: string[] = []
  readonly warnings: string[] = []

  async step<T>(title: string, run: (note: (text: string) => void) => Promise<T>): Promise<T> {
    const index = this.steps.push(title) - 1
    try {
      return await run((text) => void this.notes.push(text))
    } catch (error) {
      this.steps[index] = `${title}: failed`
      throw error
    }
  }

  info(text: string): void {
    this.infos.push(text)
  }

  warn(text: string): void {
    this.warnings.push(text)
  }
}
