/**
 * Knows the customers' profiles.
 *
 * New in 3.0: a profile says the customer's tier, asks for the scope read:profile, and can be counted by country.
 */
import { customerOf, Problem, serve } from './kit.js'

const PROFILES = new Map([
  ['synthetic', { name: 'Synthia Partner', email: 'synthia@techcorp.example', country: 'IT' }],
  ['synthetic-free', { name: 'Frida Visitor', email: 'frida@techcorp.example', country: 'DE' }],
])

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

serve({ 'GET /users/me': showMe, 'GET /users/count': count })
