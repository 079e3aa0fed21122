import { describe, expect, test } from 'vitest'
import { parseSkaffold } from '../../../src/domain/skaffold/config.ts'
import { editSkaffold, guessAdditions, undoSkaffold } from '../../../src/domain/skaffold/edit.ts'
import type { ProfileOptions } from '../../../src/domain/skaffold/profile.ts'
import { meaningOf, withAdditions } from './meaning.ts'
import { local, options } from './options.ts'

const HEAD = 'apiVersion: skaffold/v4beta13\nkind: Config\n'
const ONE = `${HEAD}build:\n  artifacts:\n  - image: web\n`
const PROFILE = `- name: regctl
  build:
    cluster:
      namespace: builds
  patches:
  - op: add
    path: /build/artifacts/0/kaniko
    value:
      image: kaniko:1
      initImage: busybox:1
      cache:
        repo: localhost:5000/example/cache
`
const INDENTED = `profiles:
  - name: regctl
    build:
      cluster:
        namespace: builds
    patches:
      - op: add
        path: /build/artifacts/0/kaniko
        value:
          image: kaniko:1
          initImage: busybox:1
          cache:
            repo: localhost:5000/example/cache
`
const indented = (text: string, by: string) => text.replaceAll(/^(?=.)/gm, by)

function edit(text: string, wanted: ProfileOptions = options): string {
  const file = parseSkaffold('skaffold.yaml', text)
  const edited = editSkaffold(file, [], wanted)
  const after = parseSkaffold('skaffold.yaml', edited.text)
  expect(meaningOf(edited.text)).toEqual(withAdditions(meaningOf(text), edited.additions))
  expect(undoSkaffold(after, edited.additions)).toBe(text)
  expect(editSkaffold(after, edited.additions, wanted).text).toBe(edited.text)
  return edited.text
}

describe('where the lines go', () => {
  test.each<[string, string, string]>([
    ['plain', ONE, `${ONE}  insecureRegistries:\n  - localhost:5000\nprofiles:\n${PROFILE}`],
    [
      'lists indented',
      `${HEAD}build:\n  artifacts:\n    - image: web\n`,
      `${HEAD}build:\n  artifacts:\n    - image: web\n  insecureRegistries:\n    - localhost:5000\n${INDENTED}`,
    ],
    [
      'comments stay with what they are about',
      `${HEAD}build: # how\n  # what\n  artifacts:\n  - image: web # the site\n    # not yet: docker\n  # later: tagPolicy\n# the end\n`,
      `${HEAD}build: # how\n  # what\n  artifacts:\n  - image: web # the site\n    # not yet: docker\n  insecureRegistries:\n  - localhost:5000\n  # later: tagPolicy\nprofiles:\n${PROFILE}# the end\n`,
    ],
    [
      'an entry in a list that exists, block and flow',
      `${HEAD}build:\n  insecureRegistries: [a:1, 'b:2' ,] # ours\n  artifacts: [{image: web}]\nprofiles: []\n`,
      `${HEAD}build:\n  insecureRegistries: [a:1, 'b:2', "localhost:5000" ,] # ours\n  artifacts: [{image: web}]\nprofiles: [{ "name": "regctl", "build": { "cluster": { "namespace": "builds" } }, "patches": [ { "op": "add", "path": "/build/artifacts/0/kaniko", "value": { "image": "kaniko:1", "initImage": "busybox:1", "cache": { "repo": "localhost:5000/example/cache" } } } ] }]\n`,
    ],
    [
      'a list that is empty so far',
      `${HEAD}profiles: # none\n\nbuild:\n  artifacts:\n  - image: web\n  insecureRegistries:\n`,
      `${HEAD}profiles: # none\n${PROFILE}\nbuild:\n  artifacts:\n  - image: web\n  insecureRegistries:\n  - localhost:5000\n`,
    ],
    [
      'behind the profiles that exist',
      `${ONE}  insecureRegistries: ["localhost:5000"]\nprofiles:\n- name: dev\n  deploy:\n    kubectl: {}\n  # of dev\n# of all\ndeploy: {}\n`,
      `${ONE}  insecureRegistries: ["localhost:5000"]\nprofiles:\n- name: dev\n  deploy:\n    kubectl: {}\n  # of dev\n${PROFILE}# of all\ndeploy: {}\n`,
    ],
    [
      'no line end at the end of the file',
      `${HEAD}build:\n  artifacts:\n  - image: web`,
      `${HEAD}build:\n  artifacts:\n  - image: web\n  insecureRegistries:\n  - localhost:5000\nprofiles:\n${PROFILE}`.trimEnd(),
    ],
    [
      'a block of text at the end',
      `${ONE}  tagPolicy: {}\nmetadata:\n  annotations:\n    a: |\n      one\n\n      two\n\n\n`,
      `${ONE}  tagPolicy: {}\n  insecureRegistries:\n  - localhost:5000\nmetadata:\n  annotations:\n    a: |\n      one\n\n      two\nprofiles:\n${PROFILE}\n\n`,
    ],
  ])('%s', (_, before, after) => {
    expect(edit(before)).toBe(after)
  })
})

describe('nothing else changes, and undo brings back every byte', () => {
  const crlf = `${ONE}deploy:\n  kubectl: {}\n`.replaceAll('\n', '\r\n')
  test.each<[string, string]>([
    ['CRLF', crlf],
    ['CRLF without the last one', crlf.trimEnd()],
    ['a byte order mark', `\uFEFF${ONE}`],
    ['a byte order mark before the build', `\uFEFFbuild:\n  artifacts:\n  - image: web\n${HEAD}`],
    ['tabs as white space between tokens', `${HEAD}build:\n  artifacts:\n  - image:\tweb\t# tab\n`],
    [
      'four columns, three columns',
      `${HEAD}build:\n    artifacts:\n       - image: web\n         docker:\n            dockerfile: D\n`,
    ],
    ['a root that is indented', indented(ONE, '  ')],
    [
      'anchors, aliases and merge keys',
      `.base: &base\n  dockerfile: D\n${HEAD}build:\n  artifacts:\n  - &web\n    image: web\n    docker: &d\n      <<: *base\n  - image: api\n    docker: *d\n`,
    ],
    [
      'JSON',
      JSON.stringify({ apiVersion: 'skaffold/v4beta13', kind: 'Config', build: { artifacts: [{ image: 'web' }] } }),
    ],
    ['flow over several lines', `${HEAD}build: {\n  artifacts: [\n    {image: web} # one\n  ],\n}\n`],
    ['explicit keys', `${HEAD}? build\n: artifacts:\n  - image: web\n`],
    ['quoted keys', `${HEAD}"build":\n  'artifacts':\n  - "image": web\n`],
    ['two documents with markers', `%YAML 1.2\n---\n${ONE}---\n# second\n${ONE.replaceAll('web', 'api')}...\n`],
    ['a comment alone behind the last document', `${ONE}---\n# nothing\n`],
    ['a block of text that keeps its line ends', `${ONE}metadata:\n  annotations:\n    a: |+\n      one\n\n\n`],
    ['trailing spaces and blank lines', `${ONE}   \n\n\t\n`],
    ['a build without a value', `${HEAD}build:\nprofiles:\n- name: p\n  build:\n    artifacts:\n    - image: web\n`],
  ])('%s', (_, text) => {
    for (const wanted of [options, local, { ...options, activate: true }]) {
      const after = edit(text, wanted)
      expect(after).not.toBe(text)
      if (text.includes('\r\n')) expect(after.replaceAll('\r\n', '')).not.toContain('\n')
    }
  })

  test.each([
    ['no build at all', `${HEAD}deploy: {}\n`],
    ['an empty build', `${HEAD}build: {}\n`],
    ['no artifacts', `${HEAD}build:\n  artifacts: []\n`],
    ['an apiVersion that knows no insecureRegistries', ONE.replace('v4beta13', 'v1beta2')],
  ])('%s needs nothing', (_, text) => {
    expect(edit(text)).toBe(text)
  })
})

describe('a second run', () => {
  const again = (text: string, wanted: ProfileOptions) => editSkaffold(parseSkaffold('f', text), [], wanted)

  test("finds what another machine's run added", () => {
    const after = edit(ONE)
    expect(again(after, options).text).toBe(after)
    expect(again(after, { ...options, kanikoImage: 'kaniko:2' }).text).toBe(after.replace('kaniko:1', 'kaniko:2'))
    expect(again(after, local).text).toBe(`${ONE}  insecureRegistries:\n  - localhost:5000\nprofiles:\n`)
  })

  test('follows what the user changed since, and undo takes out no more than ours', () => {
    const first = editSkaffold(parseSkaffold('f', ONE), [], options)
    const grown = first.text
      .replace('  - image: web\n', '  - image: web\n  - image: api\n')
      .replace('- name: regctl', '- name: mine\n- name: regctl')
    const second = editSkaffold(parseSkaffold('f', grown), first.additions, options)
    expect(second.text).toContain('/build/artifacts/1/kaniko')
    expect(undoSkaffold(parseSkaffold('f', second.text), second.additions)).toBe(
      `${HEAD}build:\n  artifacts:\n  - image: web\n  - image: api\nprofiles:\n- name: mine\n`,
    )
  })

  test('keeps what the user added to our profile', () => {
    const first = editSkaffold(parseSkaffold('f', ONE), [], options)
    const grown = `${first.text}  deploy:\n    kubectl: {}\n`
    expect(undoSkaffold(parseSkaffold('f', grown), first.additions)).toBe(
      `${ONE}profiles:\n- name: regctl\n  deploy:\n    kubectl: {}\n`,
    )
  })

  test('without a record takes out our profile and the registry', () => {
    const after = parseSkaffold('f', edit(ONE))
    expect(undoSkaffold(after, guessAdditions(after, 'regctl', 'localhost:5000'))).toBe(ONE)
  })
})

describe('refused, with the place', () => {
  const refusal = (text: string, run: (text: string) => unknown = edit) => {
    try {
      run(text)
    } catch (error) {
      const { code, message } = error as { code?: string; message: string }
      return `${code} ${message}`
    }
    return 'not refused'
  }

  test.each([
    ['a tab as indentation', `${HEAD}build:\n\tartifacts: []\n`, /^INVALID_YAML skaffold.yaml:4:1: /],
    ['a bracket that is not closed', `${HEAD}build: {artifacts: [\n`, /^INVALID_YAML skaffold.yaml:4:1: /],
    ['a key twice', `${ONE}build: {}\n`, /^INVALID_YAML skaffold.yaml:6:1: /],
    ['an alias without an anchor', `${HEAD}build: *nothing\n`, /^INVALID_YAML skaffold.yaml:3:8: /],
    ['a template', '{{ if .x }}\napiVersion: skaffold/v4beta13\n', /^INVALID_YAML skaffold.yaml:\d+:\d+: /],
    [
      'an unknown apiVersion',
      ONE.replace('v4beta13', 'v9'),
      /^UNKNOWN_API_VERSION skaffold.yaml:1:13: apiVersion "skaffold\/v9"/,
    ],
    [
      'the second document is another thing',
      `${ONE}---\nkind: Pod\n`,
      /^UNKNOWN_API_VERSION skaffold.yaml:7:1: a document without/,
    ],
    ['nothing', '# empty\n', /^NO_CONFIG /],
    [
      'profiles that are an alias',
      `.p: &p []\n${ONE}profiles: *p\n`,
      /^NOT_EDITABLE skaffold.yaml:7:11: profiles is an alias/,
    ],
    ['profiles that are a word', `${ONE}profiles: none\n`, /^NOT_EDITABLE skaffold.yaml:6:11: profiles is not a list/],
    ['profiles that are null in so many letters', `${ONE}profiles: ~\n`, /^NOT_EDITABLE skaffold.yaml:6:11: /],
    ['profiles by a merge key', `.p: &p {profiles: [{name: a}]}\n${ONE}<<: *p\n`, /^NOT_EDITABLE .*merge key/],
    [
      'profiles that are used twice',
      `${ONE}profiles: &p\n- name: x\n.other: *p\n`,
      /^NOT_EDITABLE skaffold.yaml:7:1: profiles is used elsewhere too, by the alias \*p/,
    ],
    ['a block of text without a line end', `${ONE}metadata:\n  name: |\n    x`, /^NOT_EDITABLE .*block of text/],
    [
      "a profile of the user's",
      `${ONE}profiles:\n- name: regctl\n  deploy: {}\n`,
      /^PROFILE_EXISTS skaffold.yaml has a profile "regctl"/,
    ],
  ])('%s', (_, text, expected) => {
    expect(refusal(text)).toMatch(expected)
  })

  test('our profile, changed by somebody', () => {
    const { text, additions } = editSkaffold(parseSkaffold('f', ONE), [], options)
    const changed = text.replace('namespace: builds', 'namespace: other')
    expect(refusal(changed, (now) => undoSkaffold(parseSkaffold('f', now), additions))).toMatch(
      /^CHANGED_SINCE profiles "regctl" in f is no longer as regctl wrote it/,
    )
  })

  test.each([
    [`.r: &r [a:1]\n${ONE}  insecureRegistries: *r\n`, 'f:7:23: build.insecureRegistries is an alias'],
    [`${ONE.replace('build:', 'build: &b')}profiles:\n- name: x\n  build: *b\n`, 'f:4:3: build is used elsewhere too'],
    [`.b: &b {insecureRegistries: [a:1]}\n${ONE}  <<: *b\n`, 'build.insecureRegistries comes from a merge key'],
  ])('registries that cannot be added to are left alone, with a remark: %j', (text, expected) => {
    const { text: after, remarks } = editSkaffold(parseSkaffold('f', text), [], local)
    expect(after).toBe(text)
    expect(remarks.join()).toContain(expected)
  })
})
