import { describe, expect, test } from 'vitest'
import { contextPattern, editGlobal, settingsFor, undoGlobal } from '../../../src/domain/skaffold/global-config.ts'
import { parseYaml } from '../../../src/domain/skaffold/yaml-text.ts'

const wanted = { 'default-repo': 'localhost:5000/example', 'multi-level-repo': true } as const
const entry = (pattern: string, repo = 'localhost:5000/example') =>
  `kube-context: ${pattern}\n  default-repo: ${repo}\n`
const parse = (text: string) => parseYaml('config', text)
const settings = (text: string, context: string) => settingsFor(parse(text).documents[0]?.value, context)

test.each([
  ['lab', '^lab$'],
  ['arn:aws:eks:eu-west-1:1:cluster/x', '^arn:aws:eks:eu-west-1:1:cluster/x$'],
  ['a.b+c(d)|e[f]{g}^$*?\\', String.raw`^a\.b\+c\(d\)\|e\[f\]\{g\}\^\$\*\?\\$`],
])('the pattern of context %s matches it and nothing else', (context, pattern) => {
  expect(contextPattern(context)).toBe(pattern)
  expect(new RegExp(pattern).test(context)).toBe(true)
  expect(new RegExp(pattern).test(`${context}-eu`)).toBe(false)
  expect(new RegExp(pattern).test(context.replaceAll('.', 'x'))).toBe(!context.includes('.'))
})

describe('which entry counts', () => {
  const text =
    'global: {default-repo: g, survey: {a: 1}}\nkubeContexts:\n- {kube-context: lab, default-repo: one}\n- {kube-context: la., default-repo: two}\n- {kube-context: "!lab", default-repo: three}\n- {kube-context: "(", default-repo: four}\n'
  test.each([
    ['lab', 'two'],
    ['my-lab-eu', 'two'],
    ['other', 'three'],
    ['(', 'four'],
  ])('for %s: %s', (context, repo) => {
    expect(settings(text, context)['default-repo']).toBe(repo)
  })
})

describe('edits', () => {
  test.each([
    ['no file', ''],
    ['a file Skaffold made and left empty', '\n'],
    ['a comment', '# mine\n'],
    ['a comment without a line end', '# mine'],
    [
      "Skaffold's own",
      'global:\n  survey:\n    last-prompted: "2026-01-01T00:00:00Z"\n  collect-metrics: true\nkubeContexts: []\n',
    ],
    ['a list without entries', 'kubeContexts:\nglobal:\n  a: 1\n'],
    [
      'an entry of the user for this context',
      'kubeContexts:\n- kube-context: lab\n  default-repo: gcr.io/mine\n  local-cluster: false\n',
    ],
    ['one that matches more', 'kubeContexts:\r\n    - kube-context: l.*\r\n      default-repo: gcr.io/mine\r\n'],
  ])('%s: ours is in force, undo restores every byte', (_, text) => {
    const once = editGlobal(parse(text), [], 'lab', wanted)
    const before = settings(text, 'lab')
    expect(settings(once.text, 'lab')).toEqual({ ...before, ...wanted, 'kube-context': '^lab$' })
    expect(settings(once.text, 'lab-eu')['default-repo']).toBe(settings(text, 'lab-eu')['default-repo'])
    expect(editGlobal(parse(once.text), once.additions, 'lab', wanted)).toEqual(once)
    expect(undoGlobal(parse(once.text), once.additions, 'lab')).toEqual({ text, additions: [] })
  })

  test('of two contexts each goes by itself, in any order', () => {
    const one = editGlobal(parse('# mine\n'), [], 'a', wanted)
    const both = editGlobal(parse(one.text), one.additions, 'b', wanted)
    const first = undoGlobal(parse(both.text), both.additions, 'a')
    expect(first.text).toContain(entry('^b$').split('\n')[0])
    expect(first.text).not.toContain('^a$')
    expect(undoGlobal(parse(first.text), first.additions, 'b')).toEqual({ text: '# mine\n', additions: [] })
  })

  test('another repository takes the place of the one before', () => {
    const one = editGlobal(parse(''), [], 'a', wanted)
    const other = editGlobal(parse(one.text), one.additions, 'a', { ...wanted, 'default-repo': 'localhost:5000/other' })
    expect(other.text).toBe(one.text.replace('example', 'other'))
    expect(undoGlobal(parse(other.text), other.additions, 'a').text).toBe('')
  })

  test('is found after Skaffold has written the file anew', () => {
    const one = editGlobal(parse('# mine\nkubeContexts: # none\n'), [], 'a', wanted)
    const anew = `global:\n    survey: {}\nkubeContexts:\n    - kube-context: ^a$\n      multi-level-repo: true\n      default-repo: localhost:5000/example\n`
    expect(undoGlobal(parse(anew), one.additions, 'a').text).toBe('global:\n    survey: {}\nkubeContexts:\n')
  })
})
