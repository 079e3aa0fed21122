/** Who wants to know of something that changes. */
export class Changes {
  readonly #listeners = new Set<() => void>()

  /** Gives what ends the listening. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  /** Resolves with the next change, or when aborted. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        off()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const off = this.listen(done)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }
}
