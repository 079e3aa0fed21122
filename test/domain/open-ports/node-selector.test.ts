import { describe, expect, test } from 'vitest'
import { nodeExpressions } from '../../../src/domain/open-ports/node-selector.ts'
import { failure } from '../../app/failure.ts'

describe('a selector in the words of node affinity', () => {
  test.each([
    ['', []],
    ['a=b', [{ key: 'a', operator: 'In', values: ['b'] }]],
    ['a==b', [{ key: 'a', operator: 'In', values: ['b'] }]],
    ['a=', [{ key: 'a', operator: 'In', values: [''] }]],
    ['a != b', [{ key: 'a', operator: 'NotIn', values: ['b'] }]],
    ['node-role.kubernetes.io/ingress', [{ key: 'node-role.kubernetes.io/ingress', operator: 'Exists' }]],
    ['!a', [{ key: 'a', operator: 'DoesNotExist' }]],
    ['a in (b, c)', [{ key: 'a', operator: 'In', values: ['b', 'c'] }]],
    [
      'zone notin (x,y),ingress=true',
      [
        { key: 'zone', operator: 'NotIn', values: ['x', 'y'] },
        { key: 'ingress', operator: 'In', values: ['true'] },
      ],
    ],
  ])('%s', (selector, expressions) => {
    expect(nodeExpressions(selector)).toEqual(expressions)
  })

  test.each(['a=b=c', 'a b', '=b', 'a=b,', 'a in b', 'a>1'])('"%s" is none', (selector) => {
    expect(() => nodeExpressions(selector)).toThrow(failure('INVALID_SELECTOR', 2))
  })
})
