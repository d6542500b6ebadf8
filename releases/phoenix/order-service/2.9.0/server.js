/** Takes orders: stock from inventory, money from payment. An order's id is its signed record. */
import { createHash } from 'node:crypto'
import { call, customerOf, open, reply, seal, serve } from './kit.js'

const CURRENCY = 'EUR'

const numberOf = (user, request) =>
  createHash('sha256').update(`${user} ${request.key}`).digest('hex').slice(0, 10)

const pay = async (request, reservation) => {
  const bill = { amount: reservation.total, currency: CURRENCY, card: request.body.card }
  try {
    return await call(request, 'payment-service', 'POST', '/payments', bill)
  } catch (error) {
    // The customer is told why the payment failed, even where the stock could not be given back.
    await call(request, 'inventory-service', 'DELETE', `/inventory/reservations/${reservation.id}`).catch(
      console.error,
    )
    throw error
  }
}

const place = async request => {
  const { user } = await customerOf(request)
  const { items } = request.body
  const reservation = await call(request, 'inventory-service', 'POST', '/inventory/reservations', { items })
  const payment = await pay(request, reservation)
  const number = numberOf(user, request)
  const order = { number, user, items: reservation.items, total: reservation.total, currency: CURRENCY }
  return reply(201, { id: seal('order', order), ...order, status: 'confirmed', payment: { id: payment.id } })
}

const show = async request => {
  const { user } = await customerOf(request)
  const order = open('order', request.params.id, user)
  const { number, items, total, currency } = order
  return { id: request.params.id, number, user, items, total, currency, status: 'confirmed' }
}

serve({
  'GET /orders/catalogue': request => call(request, 'inventory-service', 'GET', '/inventory'),
  'POST /orders': place,
  'GET /orders/:id': show,
})
