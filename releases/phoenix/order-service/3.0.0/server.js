/**
 * Takes orders: stock from inventory, money from payment. An order's id is its signed record.
 *
 * New in 3.0: any payment method, and the scopes read:orders and write:orders. An order of 2.9 names a card.
 */
import { createHash } from 'node:crypto'
import { call, customerOf, hasFault, open, reply, seal, serve } from './kit.js'

const CURRENCY = 'EUR'

/**
 * The fault `errors-under-load`: each order that is asked for takes a connection of the pool, which comes back only when
 * the pool is swept. What a few customers ask for is served; beyond 12 a second none is left.
 */
const POOL = 60
const SWEPT_AFTER = 5_000
let taken = 0

const connected = handle => request => {
  if (taken >= POOL) throw new Error('no connection is left in the pool')
  taken += 1
  setTimeout(() => {
    taken -= 1
  }, SWEPT_AFTER).unref()
  return handle(request)
}

const stored = hasFault('errors-under-load') ? connected : handle => handle

const numberOf = (user, request) =>
  createHash('sha256').update(`${user} ${request.key}`).digest('hex').slice(0, 10)

/** A payment by card is said in both ways, so that payment-service may still be 2.9. */
const billOf = ({ card, payment: method }, { total }) => {
  const bill = { amount: total, currency: CURRENCY }
  if (!method) return { ...bill, card }
  return method.type === 'card' ? { ...bill, method, card: method.token } : { ...bill, method }
}

const pay = async (request, reservation) => {
  try {
    return await call(request, 'payment-service', 'POST', '/payments', billOf(request.body, reservation))
  } catch (error) {
    // The customer is told why the payment failed, even where the stock could not be given back.
    await call(request, 'inventory-service', 'DELETE', `/inventory/reservations/${reservation.id}`).catch(
      console.error,
    )
    throw error
  }
}

const place = async request => {
  const { user } = await customerOf(request, 'write:orders')
  const { items } = request.body
  const reservation = await call(request, 'inventory-service', 'POST', '/inventory/reservations', { items })
  const { id: payment, method = 'card' } = await pay(request, reservation)
  const number = numberOf(user, request)
  const order = {
    number,
    user,
    items: reservation.items,
    total: reservation.total,
    currency: CURRENCY,
    method,
  }
  return reply(201, {
    id: seal('order', order),
    ...order,
    status: 'confirmed',
    payment: { id: payment, method },
  })
}

const show = async request => {
  const { user } = await customerOf(request, 'read:orders')
  const order = open('order', request.params.id, user)
  return { id: request.params.id, method: 'card', ...order, status: 'confirmed' }
}

serve({
  'GET /orders/catalogue': request => call(request, 'inventory-service', 'GET', '/inventory'),
  'POST /orders': stored(place),
  'GET /orders/:id': stored(show),
})
