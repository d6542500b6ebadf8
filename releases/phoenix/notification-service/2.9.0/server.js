/** Writes to customers and keeps what was said: a message's id is its signed record. */
import { customerOf, open, Problem, reply, seal, serve } from './kit.js'

const TEMPLATES = {
  'order-confirmed': order => `Thank you. Your order ${order} is confirmed.`,
  'order-shipped': order => `Your order ${order} is on its way.`,
}

const notify = async request => {
  const { user } = await customerOf(request)
  const { template, order } = request.body
  if (!Object.hasOwn(TEMPLATES, template))
    throw new Problem(400, 'template-unknown', `the template is one of ${Object.keys(TEMPLATES).join(', ')}`)
  const message = { user, channel: 'email', text: TEMPLATES[template](String(order).slice(0, 40)) }
  return reply(201, { id: seal('message', message), ...message })
}

const show = async request => {
  const { user } = await customerOf(request)
  const message = open('message', request.params.id, user)
  return { user, channel: message.channel, text: message.text }
}

serve({ 'POST /notifications': notify, 'GET /notifications/:id': show })
