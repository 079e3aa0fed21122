/** A port that the use cases at hand have no business with: any use of it fails the test. */
export function untouched<T extends object>(name: string): T {
  const use = (_target: object, key: string | symbol): never => {
    throw new Error(`${name}.${String(key)} was used`)
  }
  return new Proxy({}, { get: use }) as T
}
