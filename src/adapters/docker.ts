export const dockerVersionArgs = ['docker', 'version', '--format', '{{json .}}'] as const

/** The current context's endpoint; DOCKER_HOST counts before it, as for docker itself. */
export const dockerEndpointArgs = ['docker', 'context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'] as const
