/**
 * Signs customers in, says who holds a token and what it may do, and counts what the free tier asks.
 *
 * New in 3.0: /auth/authenticate with scopes, and a limit for the free tier. /auth/login stays, deprecated.
 * A token of 2.9 names no scopes and has the default ones; 2.9 reads a token of 3.0 and ignores them.
 */
import { mac, Problem, reply, sameText, serve } from './kit.js'

/** Seconds. */
const TOKEN_LIFE = 3_600
const TIERS = new Map([
  ['synthetic', 'partner'],
  ['synthetic-free', 'free'],
])
const SCOPES = ['read:profile', 'read:orders', 'write:orders', 'write:shipments', 'write:notifications']
/** Requests an hour, counted by each instance. */
const FREE_LIMIT = 1_000
const HOUR = 3_600_000

const { SYNTHETIC_PASSWORD: password } = process.env
if (!password) throw new Error('auth-service: SYNTHETIC_PASSWORD is not set; nobody could sign in')

const now = () => Math.floor(Date.now() / 1_000)
const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url')

const issue = claims => {
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${text}.${mac(text)}`
}

const claimsOf = ({ headers }) => {
  const [, text, payload, signature] =
    /^Bearer ([\w-]+\.([\w-]+))\.([\w-]+)$/.exec(headers.authorization ?? '') ?? []
  if (!text || !sameText(signature, mac(text))) throw new Problem(401, 'not-signed-in', 'sign in first')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  if (claims.exp <= now()) throw new Problem(401, 'token-expired', 'the token has expired: sign in again')
  return claims
}

const windows = new Map()

/** One request counts once, however many services ask here on its behalf. */
const countRequest = (customer, id) => {
  const current = windows.get(customer)
  const window =
    current && current.until > Date.now() ? current : { until: Date.now() + HOUR, ids: new Set() }
  windows.set(customer, window)
  if (window.ids.size < FREE_LIMIT || window.ids.has(id)) return window.ids.add(id)
  throw new Problem(429, 'rate-limited', `the free tier has ${FREE_LIMIT} requests an hour`, {
    'retry-after': Math.ceil((window.until - Date.now()) / 1_000),
  })
}

const checkPassword = ({ username, password: given }) => {
  if (!TIERS.has(username) || !sameText(String(given), password))
    throw new Problem(401, 'wrong-credentials', 'the name or the password is wrong')
}

const authenticate = ({ api, body }) => {
  if (api !== '3.0') throw new Problem(400, 'api-version-required', 'send the header API-Version: 3.0')
  checkPassword(body)
  const scope = body.scope ?? SCOPES
  if (!Array.isArray(scope) || !scope.every(each => SCOPES.includes(each)))
    throw new Problem(400, 'scope-unknown', `a scope is one of ${SCOPES.join(', ')}`)
  const token = issue({ iss: 'techcorp', sub: body.username, scope, exp: now() + TOKEN_LIFE })
  return reply(201, { token, tokenType: 'Bearer', expiresIn: TOKEN_LIFE, scope })
}

const login = ({ body }) => {
  checkPassword(body)
  const token = issue({ iss: 'techcorp', sub: body.username, scope: SCOPES, exp: now() + TOKEN_LIFE })
  const successor = { link: '</auth/authenticate>; rel="successor-version"' }
  return reply(201, { token, expiresIn: TOKEN_LIFE }, successor)
}

const whoami = request => {
  const { sub: user, scope = SCOPES } = claimsOf(request)
  const tier = TIERS.get(user) ?? 'free'
  if (tier === 'free') countRequest(user, request.id)
  return { user, scope, tier }
}

serve({ 'POST /auth/authenticate': authenticate, 'POST /auth/login': login, 'GET /auth/whoami': whoami })
