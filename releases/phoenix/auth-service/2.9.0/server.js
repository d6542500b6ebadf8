/** Signs customers in and says who holds a token. Tokens are HS256 JWTs, so any instance of any version reads them. */
import { mac, Problem, reply, sameText, serve } from './kit.js'

/** Seconds. */
const TOKEN_LIFE = 3_600
/** The synthetic customers, who walk through the shop day and night. All have the one password. */
const CUSTOMERS = ['synthetic', 'synthetic-free']

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

const signIn = ({ body }) => {
  if (!CUSTOMERS.includes(body.username) || !sameText(String(body.password), password))
    throw new Problem(401, 'wrong-credentials', 'the name or the password is wrong')
  const token = issue({ sub: body.username, exp: now() + TOKEN_LIFE })
  return reply(201, { token, expiresIn: TOKEN_LIFE })
}

serve({
  'POST /auth/login': signIn,
  'GET /auth/whoami': request => ({ user: claimsOf(request).sub }),
})
