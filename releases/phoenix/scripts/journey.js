/**
 * One customer's way through the shop, from signing in to the shipment, each answer checked.
 *
 * The smoke test, the tests of mixed versions and the steady client all walk it: what they call working is one
 * and the same thing. It speaks the API of 2.9, as apps in the field do for months, or that of 3.0.
 *
 * A region has some of the components only. There the way goes past the others: what is asked of `has` is asked before
 * every part.
 */
import { Agent, request } from 'node:http'

/** Milliseconds until an answer counts as lost. */
const PATIENCE = 10_000

/** No answer came. */
export class Lost extends Error {}

/** An answer came, and it is wrong. */
export class Wrong extends Error {}

/** Throws `Wrong` unless it is right. */
export const expect = (right, message) => {
  if (!right) throw new Wrong(message)
}

const headersOf = ({ api, token, body, visit }) => ({
  ...(api === '3.0' && { 'api-version': '3.0' }),
  ...(token && { authorization: `Bearer ${token}` }),
  ...(visit && { 'visit-number': String(visit) }),
  ...(body && { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }),
})

const contentOf = ({ headers }, text) => (headers['content-type']?.includes('json') ? JSON.parse(text) : text)

/** The sides that took part in an answer: of the instance that gave it, and of all whom it asked. */
const sidesOf = ({ headers }) =>
  [headers['x-release-side'], headers['service-sides']].flatMap(text => text?.split(' ') ?? [])

const agent = new Agent({ keepAlive: true })

/** Resolves to the answer and its text. */
const send = (url, { body, ...init }) =>
  new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(PATIENCE)
    const asked = request(url, { ...init, agent, signal }, answer => {
      const chunks = []
      answer.on('data', chunk => chunks.push(chunk)).on('error', reject)
      answer.on('end', () => resolve([answer, Buffer.concat(chunks).toString()]))
    })
    asked.on('error', reject).end(body && JSON.stringify(body))
  })

/**
 * Asks one component through the gateway: `{what, component, version, sides, status, milliseconds, content}`.
 * Throws `Lost` where no answer comes.
 */
export const ask = async (gateway, component, method, path, { api, token, body, visit } = {}) => {
  const what = `${method} ${component}${path.slice(0, 40)}`
  const started = performance.now()
  try {
    const headers = headersOf({ api, token, body, visit })
    const [answer, text] = await send(`${gateway}/${component}${path}`, { method, headers, body })
    const version = answer.headers['service-version'] ?? 'none'
    const milliseconds = performance.now() - started
    const about = { what, component, version, sides: sidesOf(answer), status: answer.statusCode }
    return { ...about, milliseconds, content: contentOf(answer, text) }
  } catch (error) {
    throw new Lost(`${what}: ${error.message}`)
  }
}

const signInAt = { 2.9: '/auth/login', '3.0': '/auth/authenticate' }

const orderWith = {
  2.9: { card: 'tok_visa4242' },
  '3.0': { payment: { type: 'apple-pay', token: 'ap_4242' } },
}

const items = [
  { sku: 'feather-pen', quantity: 2 },
  { sku: 'ember-lamp', quantity: 1 },
]

/** Where only some components are, a payment is made without an order. */
const payDirectly = { amount: 7_530, currency: 'EUR', card: 'tok_visa4242' }

/**
 * Walks the whole way once. `onAnswer` is told of every answer, right or wrong.
 * Resolves to what the customer has then: a token and, where it can be had, an order, a payment, a shipment, a message.
 * Throws `Lost` or `Wrong` at the first that is not as it should be.
 */
export const walk = async ({ gateway, api = '2.9', password, has = () => true, onAnswer = () => {} }) => {
  let token
  const through = async (component, method, path, body) => {
    const answer = await ask(gateway, component, method, path, { api, token, body })
    onAnswer(answer)
    const { what, status, content } = answer
    expect(status < 300, `${what} answered ${status}: ${JSON.stringify(content).slice(0, 200)}`)
    return content
  }

  const credentials = { username: 'synthetic', password }
  token = (await through('auth-service', 'POST', signInAt[api], credentials)).token
  const held = { token }
  if (has('user-service')) {
    const me = await through('user-service', 'GET', '/users/me')
    expect(me.user === 'synthetic', `user-service takes synthetic for ${me.user}`)
  }
  if (!has('order-service')) {
    if (!has('payment-service')) return held
    const paid = await through('payment-service', 'POST', '/payments', payDirectly)
    const found = await through('payment-service', 'GET', `/payments/${paid.id}`)
    expect(found.amount === payDirectly.amount, `${found.amount} was authorised, not ${payDirectly.amount}`)
    return { ...held, payment: paid.id }
  }

  const catalogue = await through('inventory-service', 'GET', '/inventory')
  const priceOf = sku => catalogue.items.find(item => item.sku === sku).price
  const total = items.reduce((sum, { sku, quantity }) => sum + priceOf(sku) * quantity, 0)

  const order = await through('order-service', 'POST', '/orders', { items, ...orderWith[api] })
  expect(order.total === total, `the order costs ${order.total} and should cost ${total}`)
  const shown = await through('order-service', 'GET', `/orders/${order.id}`)
  expect(shown.number === order.number, `order ${order.number} is shown as ${shown.number}`)
  const payment = await through('payment-service', 'GET', `/payments/${order.payment.id}`)
  expect(payment.amount === total, `${payment.amount} was authorised and should be ${total}`)
  Object.assign(held, { order: order.id, total, payment: order.payment.id })
  if (!has('web-app')) return held

  const shipment = await through('shipping-service', 'POST', '/shipments', { order: order.id })
  const tracked = await through('shipping-service', 'GET', `/shipments/${shipment.id}`)
  expect(tracked.order === order.number && tracked.pieces === 3, 'the shipment is not that of the order')

  const about = { template: 'order-shipped', order: order.number }
  const message = await through('notification-service', 'POST', '/notifications', about)
  const kept = await through('notification-service', 'GET', `/notifications/${message.id}`)
  expect(kept.text.includes(order.number), `the message kept does not speak of order ${order.number}`)

  const report = await through('analytics-service', 'POST', '/analytics/reports', { orders: [order.id] })
  expect(report.revenue === total, `analytics counts ${report.revenue} and should count ${total}`)
  const page = await through('web-app', 'GET', '/')
  expect(
    page.includes('Welcome back, synthetic') && page.includes('Ember lamp'),
    'the page lacks what it shows',
  )
  return { ...held, shipment: shipment.id, message: message.id }
}
