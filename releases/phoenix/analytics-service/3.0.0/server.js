/**
 * Sums up orders and customers, asking those who know them.
 *
 * New in 3.0: revenue by payment method, and the average order.
 */
import { call, customerOf, Problem, reply, serve } from './kit.js'

const ORDERS_AT_ONCE = 50

const byMethod = sold => {
  const revenue = {}
  for (const { method = 'card', total } of sold) revenue[method] = (revenue[method] ?? 0) + total
  return revenue
}

const summarise = async request => {
  await customerOf(request, 'read:orders')
  const { orders } = request.body
  if (!Array.isArray(orders) || orders.length === 0 || orders.length > ORDERS_AT_ONCE)
    throw new Problem(400, 'orders-invalid', `a report takes from 1 to ${ORDERS_AT_ONCE} orders`)
  const [customers, ...sold] = await Promise.all([
    call(request, 'user-service', 'GET', '/users/count'),
    ...orders.map(id => call(request, 'order-service', 'GET', `/orders/${id}`)),
  ])
  const revenue = sold.reduce((sum, { total }) => sum + total, 0)
  const average = Math.round(revenue / sold.length)
  return reply(201, {
    orders: sold.length,
    revenue,
    average,
    customers: customers.count,
    revenueByMethod: byMethod(sold),
  })
}

serve({ 'POST /analytics/reports': summarise })
