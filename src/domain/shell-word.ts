/** The text as one word of a POSIX shell, bare where it needs no quotes. */
export const shellWord = (text: string): string => (/^[A-Za-z0-9@%+=:,./_-]+$/.test(text) ? text : quoted(text))

/** The text in single quotes. */
export const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`
