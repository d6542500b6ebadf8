/** Knows the customers' profiles. */
import { customerOf, Problem, serve } from './kit.js'

const PROFILES = new Map([
  ['synthetic', { name: 'Synthia Partner', email: 'synthia@techcorp.example', country: 'IT' }],
  ['synthetic-free', { name: 'Frida Visitor', email: 'frida@techcorp.example', country: 'DE' }],
])

const profileOf = user => {
  const profile = PROFILES.get(user)
  if (!profile) throw new Problem(404, 'user-unknown', `there is no user ${user}`)
  return { user, ...profile }
}

serve({
  'GET /users/me': async request => profileOf((await customerOf(request)).user),
  'GET /users/count': async request => {
    await customerOf(request)
    return { count: PROFILES.size }
  },
})
