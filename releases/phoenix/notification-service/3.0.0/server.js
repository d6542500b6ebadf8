/**
 * Writes to customers and keeps what was said: a message's id is its signed record.
 *
 * New in 3.0: a choice of channel, and the scope write:notifications. A message of 2.9 goes by email.
 */
import { customerOf, open, Problem, reply, seal, serve } from './kit.js'

/** Longest text, in characters. */
const CHANNELS = { email: 10_000, push: 60 }
const TEMPLATES = {
  'order-confirmed': order => `Thank you. Your order ${order} is confirmed.`,
  'order-shipped': order => `Your order ${order} is on its way.`,
}

const oneOf = (choices, given, what) => {
  if (Object.hasOwn(choices, given)) return choices[given]
  throw new Problem(400, `${what}-unknown`, `the ${what} is one of ${Object.keys(choices).join(', ')}`)
}

const notify = async request => {
  const { user } = await customerOf(request, 'write:notifications')
  const { template, order, channel = 'email' } = request.body
  const longest = oneOf(CHANNELS, channel, 'channel')
  const text = oneOf(TEMPLATES, template, 'template')(String(order).slice(0, 40)).slice(0, longest)
  const message = { user, channel, text }
  return reply(201, { id: seal('message', message), ...message })
}

const show = async request => {
  const { user } = await customerOf(request)
  const message = open('message', request.params.id, user)
  return message
}

serve({ 'POST /notifications': notify, 'GET /notifications/:id': show })
