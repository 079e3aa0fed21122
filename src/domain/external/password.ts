import { EXPOSE, exposeNamespace, type Installation } from '../installation.ts'
import type { KubeObject } from '../kube-object.ts'
import { HTTP_MANAGER, type Patch } from '../stack/envoy-filter.ts'
import { filterRef, grantsFilter } from './filter.ts'

const NAME = 'token-as-password'

export const passwordRef = (at: Pick<Installation, 'namespace'>) => filterRef(exposeNamespace(at), NAME)

/** Envoy's Lua has no base64. */
const SCRIPT = `local alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
local function decoded(text)
  local bits, count, out = 0, 0, {}
  for i = 1, #text do
    local at = alphabet:find(text:sub(i, i), 1, true)
    if at == nil then break end
    bits, count = (bits % 4096) * 64 + at - 1, count + 6
    if count >= 8 then
      count = count - 8
      out[#out + 1] = string.char(math.floor(bits / 2 ^ count) % 256)
    end
  end
  return table.concat(out)
end
function envoy_on_request(handle)
  local headers = handle:headers()
  local given = headers:get('authorization')
  if given == nil then
    handle:streamInfo():dynamicMetadata():set('regctl', 'challenge', 'yes')
  elseif given:sub(1, 6):lower() == 'basic ' then
    local password = decoded(given:sub(7)):match('^[^:]*:(.*)$')
    if password ~= nil and password:match('^[%w_-]+%.[%w_-]+%.[%w_-]+$') then
      headers:replace('authorization', 'Bearer ' .. password)
    end
  end
end
function envoy_on_response(handle)
  local asked = handle:streamInfo():dynamicMetadata():get('regctl')
  if asked ~= nil and asked['challenge'] == 'yes' and handle:headers():get(':status') == '403' then
    handle:headers():replace(':status', '401')
    handle:headers():replace('www-authenticate', 'Basic realm="registry"')
  end
end
`

/**
 * At the exposing gateway. BuildKit, regclient and others know a password alone, and show it only when they are asked for it: a
 * refusal without credentials becomes a challenge, and a password that is a token goes on as one.
 */
export function tokenAsPassword(at: Installation, resourceVersion?: string): KubeObject {
  const lua = 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua'
  const patch: Patch = {
    applyTo: 'HTTP_FILTER',
    match: { context: 'GATEWAY', listener: { filterChain: { filter: { name: HTTP_MANAGER } } } },
    patch: {
      operation: 'INSERT_FIRST',
      value: {
        name: 'regctl.token-as-password',
        typed_config: { '@type': lua, default_source_code: { inline_string: SCRIPT } },
      },
    },
  }
  return grantsFilter(at, passwordRef(at), EXPOSE, patch, resourceVersion)
}
