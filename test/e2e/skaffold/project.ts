import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { eventually, kubectl, kubectlOk } from '../cluster.ts'

/** The two artifacts: `web` goes out by Helm, `api` by a raw manifest. */
export const ARTIFACTS = ['web', 'api'] as const
export type ArtifactName = (typeof ARTIFACTS)[number]

/** As somebody has it who never heard of regctl. */
const SKAFFOLD = `# Two services.
apiVersion: skaffold/v4beta13
kind: Config
metadata: {name: shop}
build:
  tagPolicy:
    inputDigest: {}   # no git needed
  artifacts:
    - image: web
      context: web
      docker:
        dockerfile: Dockerfile
    - image: api
      context: api
manifests:
  rawYaml: [k8s/api.yaml]
deploy:
  helm:
    releases:
      - name: web
        chartPath: chart
        setValueTemplates:
          image: "{{.IMAGE_FULLY_QUALIFIED_web}}"
  kubectl: {}
`

const DOCKERFILE = `FROM scratch
COPY busybox message /
ENTRYPOINT ["/busybox", "sh", "-c", "/busybox cat /message; trap exit TERM; while :; do /busybox sleep 1; done"]
`

const deployment = (name: string, image: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - {name: ${name}, image: "${image}"}
`

const HOME_CONFIG = 'global:\n  collect-metrics: false # mine\n'

const FILES: Readonly<Record<string, string>> = {
  'skaffold.yaml': SKAFFOLD,
  'web/Dockerfile': DOCKERFILE,
  'api/Dockerfile': DOCKERFILE,
  'k8s/api.yaml': deployment('api', 'api'),
  'chart/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.1.0\n',
  'chart/values.yaml': 'image: web\n',
  'chart/templates/web.yaml': deployment('web', '{{ .Values.image }}'),
  'home/.skaffold/config': HOME_CONFIG,
}

export type SkaffoldProject = AsyncDisposable & {
  readonly directory: string
  /** Of whoever works on it, with Skaffold's configuration. */
  readonly home: string
  /** A line of the program's code, which it prints when it starts. */
  readonly change: (artifact: ArtifactName, version: string) => Promise<void>
  /** Are the files that regctl edits as they were written? */
  readonly expectUntouched: () => Promise<void>
}

export async function skaffoldProject(): Promise<SkaffoldProject> {
  const directory = await mkdtemp(join(tmpdir(), 'regctl-shop-'))
  for (const [name, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(directory, name)), { recursive: true })
    await writeFile(join(directory, name), text)
  }
  const change = (artifact: ArtifactName, version: string) =>
    writeFile(join(directory, artifact, 'message'), `${artifact} ${version}\n`)
  for (const artifact of ARTIFACTS) {
    await copyFile('/bin/busybox', join(directory, artifact, 'busybox'))
    await change(artifact, '1')
  }
  return {
    directory,
    home: join(directory, 'home'),
    change,
    expectUntouched: async () => {
      for (const name of ['skaffold.yaml', 'home/.skaffold/config'])
        expect(await readFile(join(directory, name), 'utf8'), name).toBe(FILES[name])
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true, maxRetries: 5 }),
  }
}

/** The pods say which version they are, and their image is the one in the repository, by its digest. */
export async function expectRunning(
  namespace: string,
  repository: string,
  versions: Readonly<Record<ArtifactName, string>>,
  timeout = 60_000,
): Promise<void> {
  await eventually(
    async () => {
      for (const [name, version] of Object.entries(versions)) {
        const { stdout } = await kubectl(['logs', '-n', namespace, '-l', `app=${name}`, '--tail=-1'])
        expect(stdout).toContain(`${name} ${version}`)
        const path = 'jsonpath={.spec.template.spec.containers[0].image}'
        const image = await kubectlOk(['get', 'deployment', '-n', namespace, name, '-o', path])
        expect(image).toMatch(new RegExp(`^localhost:5000/${repository}/${name}:[^@]+@sha256:[0-9a-f]{64}$`))
      }
    },
    { timeout, every: 300 },
  )
}
