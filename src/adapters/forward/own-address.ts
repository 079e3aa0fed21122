/** Somewhere in 127.0.0.0/8: what listens there checks no Host header, and a page that guesses ports would have to guess this too. */
export function ownAddress(platform: NodeJS.Platform, random: () => number = Math.random): string {
  if (platform !== 'linux') return '127.0.0.1'
  const part = (): number => 1 + Math.floor(random() * 253)
  return `127.${part()}.${part()}.${part()}`
}
