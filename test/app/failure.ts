import { expect } from 'vitest'

/** An error of ours, by its code and exit code, and a part of its message. */
export const failure = (code: string, exit: number, message = '') =>
  expect.objectContaining({ name: 'RegctlError', code, oclif: { exit }, message: expect.stringContaining(message) })
