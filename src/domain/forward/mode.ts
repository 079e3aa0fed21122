export const MODES = ['auto', 'mesh', 'port-forward', 'proxy'] as const
export type ModeChoice = (typeof MODES)[number]

/** What carries a port-forward. */
export const TRANSPORTS = ['auto', 'kubectl', 'websocket'] as const
export type TransportChoice = (typeof TRANSPORTS)[number]
