import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** As much of JSON Schema as our output needs. Properties not listed are refused, so that the schema stays complete. */
export type Schema = {
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null'
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
}

export function loadSchema(command: string): Schema | undefined {
  const file = join(import.meta.dirname, 'schemas', `${command.replaceAll(':', '-')}.json`)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Schema) : undefined
}

/** Where the value differs from the schema; empty when it does not. */
export function violations(schema: Schema, value: unknown, at = '$'): readonly string[] {
  if (schema.anyOf !== undefined) {
    const tried = schema.anyOf.map((one) => violations(one, value, at))
    return tried.some((found) => found.length === 0) ? [] : tried.flat()
  }
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return [`${at}: ${JSON.stringify(value)} is none of the values`]
  if (schema.type !== undefined && !isType(schema.type, value)) return [`${at}: not of type ${schema.type}`]
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined ? [] : value.flatMap((item, index) => violations(items, item, `${at}[${index}]`))
  }
  if (typeof value !== 'object' || value === null) return []
  const missing = (schema.required ?? []).filter((name) => !(name in value)).map((name) => `${at}.${name}: missing`)
  const wrong = Object.entries(value).flatMap(([name, field]) => {
    const known = schema.properties?.[name] ?? schema.additionalProperties ?? false
    if (known === true || field === undefined) return []
    return known === false ? [`${at}.${name}: not in the schema`] : violations(known, field, `${at}.${name}`)
  })
  return [...missing, ...wrong]
}

function isType(type: NonNullable<Schema['type']>, value: unknown): boolean {
  if (type === 'array') return Array.isArray(value)
  if (type === 'null') return value === null
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}
