import { stderrTheme as theme } from './theme.ts'

export const warning = (text: string): string => `${theme.caution('Warning:')} ${text}\n`
