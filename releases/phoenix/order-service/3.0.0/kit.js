/**
 * What every TechCorp service of 3.0 stands on: routes over node:http, calls to other services through the
 * gateway, identifiers that carry their own content, and the two API versions that 3.0 speaks.
 *
 * Boundary: knows no domain. Vendored: every service holds a copy beside its server.js, because a folder is
 * deployed as it is; `scripts/vendor.js` copies it and the tests hold the copies together.
 *
 * Invariants:
 *  K1. No request depends on which instance answers it: nothing that a client holds is kept in memory only.
 *  K2. After SIGTERM nothing new is accepted, and every request already accepted gets its answer.
 *  K3. Each call to another service may be repeated: it is a read, or it carries an Idempotency-Key.
 *  K4. A request without the API-Version header is answered exactly as 2.9 would, and told that this will end.
 *  K5. Nothing is expected of another service that its 2.9 does not do as well.
 *  K6. A request that carries a side keeps it: whoever is asked on its behalf is asked on the same side. Its answer names
 *      the sides that took part, so that a customer who was let down can say by which version.
 */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { Agent, request as ask, createServer } from 'node:http'
import manifest from './package.json' with { type: 'json' }

const { HOST = '127.0.0.1', PORT = '0', RELEASE_GATEWAY: gateway, TECHCORP_KEY: key } = process.env
if (!key) throw new Error(`${manifest.name}: TECHCORP_KEY is not set; nothing could be signed or checked`)

const BODY_LIMIT = 64 * 1024
const CALL_LIMIT = 5_000
/** Longer than any proxy keeps an idle connection, so that it is never this side that closes first. */
const KEEP_ALIVE = 75_000
/** After SIGTERM: what is still open then belongs to nobody. */
const DRAIN_LIMIT = 8_000

/** What a request may ask for; without the header it is the first. */
const API_VERSIONS = ['2.9', '3.0']
/** 2.9's API is deprecated 12 weeks after the release of 2024-03-15 and removed after 24 (RFC 9745, RFC 8594). */
const FAREWELL = { deprecation: '@1717718400', sunset: 'Fri, 30 Aug 2024 00:00:00 GMT' }

/** A refusal that the client is told about. */
export class Problem extends Error {
  constructor(status, code, message, headers = {}) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

class Reply {
  constructor(status, body, headers) {
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/** An answer other than a plain 200 with JSON. */
export const reply = (status, body, headers = {}) => new Reply(status, body, headers)

/** HMAC-SHA256 under the key that all services and both versions share. */
export const mac = text => createHmac('sha256', key).update(text).digest('base64url')

/** Compares in constant time. */
export const sameText = (a, b) => timingSafeEqual(Buffer.from(mac(a)), Buffer.from(mac(b)))

/** An identifier that holds its own record, signed: any instance of any version can read it. */
export const seal = (kind, record) => {
  const text = Buffer.from(JSON.stringify(record)).toString('base64url')
  return `${kind}_${text}.${mac(`${kind}:${text}`)}`
}

/** The record in a sealed identifier; 404 where it was not sealed by us, or is another customer's. */
export const open = (kind, id, user) => {
  const unknown = new Problem(404, `${kind}-unknown`, `there is no ${kind} with this id`)
  const [, stated, text, signature] = /^([a-z]+)_([\w-]+)\.([\w-]+)$/.exec(String(id)) ?? []
  if (stated !== kind || !sameText(signature, mac(`${kind}:${text}`))) throw unknown
  const record = JSON.parse(Buffer.from(text, 'base64url').toString())
  if (record.user !== user) throw unknown
  return record
}

/** Which side of a release a request is on; the gateway writes it where sides are carried. */
const SIDE = 'x-release-side'

const proofOf = id => mac(`request:${id}`)

/** A request's id is passed on among the services only: one that a client made up could stand for many requests. */
const identify = ({ headers }) => {
  const { 'x-request-id': given = '', 'x-request-proof': proof = '' } = headers
  const id = sameText(proof, proofOf(given)) ? given : randomUUID()
  return { id, key: headers['idempotency-key'] ?? id, sides: new Set() }
}

const agent = new Agent({ keepAlive: true })

const parsed = text => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** `{status, headers, content}`; the content is null where it is no JSON. */
const send = (url, { body, ...init }) =>
  new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(CALL_LIMIT)
    const asked = ask(url, { ...init, agent, signal }, answer => {
      const chunks = []
      answer.on('data', chunk => chunks.push(chunk)).on('error', reject)
      answer.on('end', () => {
        const { statusCode: status, headers } = answer
        resolve({ status, headers, content: parsed(Buffer.concat(chunks).toString()) })
      })
    })
    asked.on('error', reject).end(body)
  })

/** Of the one who answered, and of all whom it asked. */
const sidesOf = ({ headers }) =>
  [headers[SIDE], headers['service-sides']].flatMap(text => text?.split(' ') ?? [])

/** 3.0 says why in `error.message`, 2.9 in `error`. */
const reasonOf = body => body?.error?.message ?? body?.error ?? 'no reason given'

/** Asks another service through the gateway, in the name of the request's sender. Its 4xx is ours; its 5xx is a 502. */
export const call = async (request, component, method, path, body) => {
  const headers = { 'api-version': '3.0', 'x-request-id': request.id, 'x-request-proof': proofOf(request.id) }
  if (request.headers[SIDE]) headers[SIDE] = request.headers[SIDE]
  if (request.headers.authorization) headers.authorization = request.headers.authorization
  if (method !== 'GET') headers['idempotency-key'] = `${request.key}${path}`
  if (body) headers['content-type'] = 'application/json'
  const url = `${gateway}/${component}${path}`
  const init = { method, headers, body: body && JSON.stringify(body) }
  // A connection that the other side closed while idle shows only when it is used again: once more is enough.
  const answer = await send(url, init)
    .catch(() => send(url, init))
    .catch(() => {
      throw new Problem(502, 'unreachable', `${component} did not answer`)
    })
  for (const side of sidesOf(answer)) request.sides.add(side)
  const { content } = answer
  if (answer.status < 300) return content
  const status = answer.status >= 500 ? 502 : answer.status
  throw new Problem(status, content?.error?.code ?? 'refused', `${component}: ${reasonOf(content)}`)
}

/**
 * Who sent the request, as auth-service says: 401 where nobody did, 403 where they lack the scope.
 * A token that 2.9 issued or vouches for names no scopes and has them all.
 */
export const customerOf = async (request, scope) => {
  const customer = await call(request, 'auth-service', 'GET', '/auth/whoami')
  if (scope && customer.scope && !customer.scope.includes(scope))
    throw new Problem(403, 'scope-missing', `this needs the scope ${scope}`)
  return customer
}

const matchRoute = (pattern, path) => {
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.length !== given.length) return null
  const params = {}
  for (const [index, segment] of wanted.entries()) {
    if (segment.startsWith(':')) params[segment.slice(1)] = given[index]
    else if (segment !== given[index]) return null
  }
  return params
}

const parseBody = text => {
  try {
    const body = JSON.parse(text)
    if (body && typeof body === 'object') return body
  } catch {
    // The same refusal as for JSON that is no object.
  }
  throw new Problem(400, 'body-invalid', 'the body is a JSON object')
}

const readBody = async incoming => {
  const chunks = []
  let size = 0
  // Left alone when it is too large: a destroyed request could not be answered any more.
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    size += chunk.length
    if (size > BODY_LIMIT)
      throw new Problem(413, 'too-large', `a body has at most ${BODY_LIMIT} bytes`, { connection: 'close' })
    chunks.push(chunk)
  }
  return parseBody(Buffer.concat(chunks).toString() || '{}')
}

/** Whether this version was told to have that fault here, to see what a release makes of it. */
export const hasFault = name => {
  const { PHOENIX_FAULT: fault, PHOENIX_FAULT_IN: where = 'anywhere', RELEASE_ENVIRONMENT = '' } = process.env
  // A region is named after its environment: production.eu-central-1.
  const here = [RELEASE_ENVIRONMENT, RELEASE_ENVIRONMENT.split('.')[0]]
  return fault === name && (where === 'anywhere' || here.includes(where))
}

const health = () => {
  const about = { service: manifest.name, version: manifest.version }
  if (!hasFault(manifest.name)) return { status: 'ok', ...about }
  return reply(503, { status: 'failing', ...about, reason: 'PHOENIX_FAULT names this service' })
}

const apiOf = incoming => {
  const api = incoming.headers['api-version'] ?? API_VERSIONS[0]
  if (!API_VERSIONS.includes(api))
    throw new Problem(400, 'api-version-unknown', `API-Version is one of ${API_VERSIONS.join(', ')}`)
  return api
}

const dispatch = async (routes, incoming, identity) => {
  const [path] = incoming.url.split('?')
  for (const [route, handle] of Object.entries(routes)) {
    const [method, pattern] = route.split(' ')
    const params = method === incoming.method ? matchRoute(pattern, path) : null
    if (!params) continue
    const api = apiOf(incoming)
    const body = method === 'GET' ? {} : await readBody(incoming)
    return handle({ ...identity, api, params, body, headers: incoming.headers })
  }
  throw new Problem(404, 'unknown-path', `${manifest.name} has no ${incoming.method} ${path}`)
}

const refuse = (thrown, incoming, { id }) => {
  const known = thrown instanceof Problem
  if (!known) console.error(thrown)
  const { status, code, message, headers } = known
    ? thrown
    : new Problem(500, 'internal', 'something went wrong here, not with your request')
  const error = incoming.headers['api-version'] ? { code, message, requestId: id } : message
  return reply(status, { error }, headers)
}

const write = (incoming, outgoing, result, { sides, draining }) => {
  const { status, body, headers } = result instanceof Reply ? result : reply(200, result)
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  outgoing.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'service-version': manifest.version,
    ...(sides.size > 0 && { 'service-sides': [...sides].join(' ') }),
    ...(!incoming.headers['api-version'] && FAREWELL),
    ...(draining && { connection: 'close' }),
    ...headers,
  })
  outgoing.end(text)
}

/** Serves the routes, `'GET /orders/:id': request => answer`, and `GET /health`, until SIGTERM. */
export const serve = routes => {
  const all = { 'GET /health': health, ...routes }
  let draining = false
  const server = createServer(async (incoming, outgoing) => {
    const identity = identify(incoming)
    const result = await dispatch(all, incoming, identity).catch(error => refuse(error, incoming, identity))
    write(incoming, outgoing, result, { sides: identity.sides, draining })
  })
  server.keepAliveTimeout = KEEP_ALIVE
  server.listen(Number(PORT), HOST, () => {
    const { address, port } = server.address()
    console.log(`${manifest.name} ${manifest.version} listens on http://${address}:${port}`)
  })
  process.on('SIGTERM', () => {
    if (draining) return
    draining = true
    server.close(() => process.exit(0))
    setTimeout(() => server.closeAllConnections(), DRAIN_LIMIT).unref()
  })
}
