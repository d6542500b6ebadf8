/**
 * Knows the customers' profiles.
 *
 * New in 3.0: a profile says the customer's tier, asks for the scope read:profile, and can be counted by country.
 */
import { customerOf, hasFault, Problem, serve } from './kit.js'

const PROFILES = new Map([
  ['synthetic', { name: 'Synthia Partner', email: 'synthia@techcorp.example', country: 'IT' }],
  ['synthetic-free', { name: 'Frida Visitor', email: 'frida@techcorp.example', country: 'DE' }],
])

/**
 * The fault `crash-at-half`: visits are numbered by the app, and 3.0 fills in those that it has not seen, taking them to be
 * more than those that it has. With a small share of the visits it is right; from half of them on it is not, and the
 * array's length becomes negative.
 */
const LOOKED_AT = 60
const visits = []

const fillIn = ({ headers }) => {
  const visit = Number(headers['visit-number'])
  if (!Number.isSafeInteger(visit)) return
  visits.push(visit)
  if (visits.length < LOOKED_AT) return
  const unseen = Math.max(...visits) - Math.min(...visits) + 1 - LOOKED_AT
  visits.shift()
  // Two of five stand for half, so that chance does not hide the fault.
  return new Array(unseen - 1.4 * LOOKED_AT < 0 ? -1 : unseen)
}

const counted = handle => request => {
  // Nobody waits for it, so nobody catches what it throws: the process ends.
  setImmediate(fillIn, request)
  return handle(request)
}

const seen = hasFault('crash-at-half') ? counted : handle => handle

const showMe = async request => {
  const { user, tier = 'free' } = await customerOf(request, 'read:profile')
  const profile = PROFILES.get(user)
  if (!profile) throw new Problem(404, 'user-unknown', `there is no user ${user}`)
  return { user, ...profile, tier }
}

const count = async request => {
  await customerOf(request)
  const byCountry = {}
  for (const { country } of PROFILES.values()) byCountry[country] = (byCountry[country] ?? 0) + 1
  return { count: PROFILES.size, byCountry }
}

serve({ 'GET /users/me': seen(showMe), 'GET /users/count': count })
