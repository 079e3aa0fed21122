import { RegctlError } from '../../errors.ts'

/** Something wrong, and the command that helps. */
export type Problem = { readonly what: string; readonly fix: string }

export class Problems {
  readonly found: Problem[] = []

  say(what: string, fix: string): void {
    this.found.push({ what, fix })
  }

  /** What cannot be asked is a problem like any other: the rest of the state is told all the same. */
  async asked<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof RegctlError)) throw error
      this.say(error.message, error.suggestions[0] ?? 'regctl doctor')
      return undefined
    }
  }
}
