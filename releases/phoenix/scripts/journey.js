/**
 * One customer's way through the shop, from signing in to the shipment, each answer checked.
 *
 * The smoke test, the tests of mixed versions and the steady client all walk it: what they call working is one
 * and the same thing. It speaks the API of 2.9, as apps in the field do for months, or that of 3.0.
 */

/** Milliseconds until an answer counts as lost. */
const PATIENCE = 10_000

/** No answer came. */
export class Lost extends Error {}

/** An answer came, and it is wrong. */
export class Wrong extends Error {}

const expect = (right, message) => {
  if (!right) throw new Wrong(message)
}

const headersOf = ({ api, token, body }) => ({
  ...(api === '3.0' && { 'api-version': '3.0' }),
  ...(token && { authorization: `Bearer ${token}` }),
  ...(body && { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }),
})

const contentOf = (answer, text) =>
  answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text

/** Asks one component through the gateway; `{component, version, status, milliseconds, content}`. */
const ask = async (gateway, component, method, path, { api, token, body } = {}) => {
  const what = `${method} ${component}${path.slice(0, 40)}`
  const started = performance.now()
  try {
    const answer = await fetch(`${gateway}/${component}${path}`, {
      method,
      headers: headersOf({ api, token, body }),
      signal: AbortSignal.timeout(PATIENCE),
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    const version = answer.headers.get('service-version') ?? 'none'
    const milliseconds = performance.now() - started
    return { what, component, version, status: answer.status, milliseconds, content: contentOf(answer, text) }
  } catch (error) {
    throw new Lost(`${what}: ${error.cause?.message ?? error.message}`)
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

/**
 * Walks the whole way once. `onAnswer` is told of every answer, right or wrong.
 * Throws `Lost` or `Wrong` at the first that is not as it should be.
 */
export const walk = async ({ gateway, api = '2.9', password, onAnswer = () => {} }) => {
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
  const me = await through('user-service', 'GET', '/users/me')
  expect(me.user === 'synthetic', `user-service takes synthetic for ${me.user}`)

  const catalogue = await through('inventory-service', 'GET', '/inventory')
  const priceOf = sku => catalogue.items.find(item => item.sku === sku).price
  const total = items.reduce((sum, { sku, quantity }) => sum + priceOf(sku) * quantity, 0)

  const order = await through('order-service', 'POST', '/orders', { items, ...orderWith[api] })
  expect(order.total === total, `the order costs ${order.total} and should cost ${total}`)
  const shown = await through('order-service', 'GET', `/orders/${order.id}`)
  expect(shown.number === order.number, `order ${order.number} is shown as ${shown.number}`)
  const payment = await through('payment-service', 'GET', `/payments/${order.payment.id}`)
  expect(payment.amount === total, `${payment.amount} was authorised and should be ${total}`)

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
}
