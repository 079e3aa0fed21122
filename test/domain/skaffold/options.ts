import type { ProfileOptions } from '../../../src/domain/skaffold/profile.ts'

export const options: ProfileOptions = {
  name: 'regctl',
  activate: false,
  registry: 'localhost:5000',
  repository: 'example',
  kanikoImage: 'kaniko:1',
  initImage: 'busybox:1',
  cluster: { namespace: 'builds', labels: {}, annotations: {} },
}
export const local: ProfileOptions = { ...options, cluster: undefined }
