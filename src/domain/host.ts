import { usageError } from '../errors.ts'

const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/

/**
 * Checks a DNS name under which the registry is exposed, such as `registry.example.org`.
 * @throws usage error INVALID_HOST, which says what is wrong with the name
 */
export function hostName(text: string): string {
  const refuse = (why: string, suggestions: readonly string[] = []): never => {
    throw usageError('INVALID_HOST', `host "${text}" ${why}`, { suggestions })
  }
  if (/[A-Z]/.test(text)) refuse('has upper case', [`name it ${text.toLowerCase()}`])
  if (text.includes('/')) refuse('is more than a name', [`name it ${text.replace(/^\w+:\/\//, '').split('/')[0]}`])
  if (text.includes('*')) refuse('is a wildcard, and a registry has one name')
  if (/:\d*$/.test(text))
    refuse('has a port, which the gateway says', [`name it ${text.slice(0, text.lastIndexOf(':'))}`])
  if (/^[\d.]+$|:/.test(text)) refuse('is an address, and certificates are for names')
  const labels = text.split('.')
  if (text.length > 253 || !labels.every((label) => LABEL.test(label))) refuse('is no DNS name')
  // Docker takes a first component without a dot for a repository of Docker Hub.
  if (labels.length < 2) refuse('has no dot, so clients would take it for a repository')
  return text
}
