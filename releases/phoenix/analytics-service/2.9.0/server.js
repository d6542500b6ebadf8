/** Sums up orders and customers, asking those who know them. */
import { call, customerOf, Problem, reply, serve } from './kit.js'

const ORDERS_AT_ONCE = 50

const summarise = async request => {
  await customerOf(request)
  const { orders } = request.body
  if (!Array.isArray(orders) || orders.length === 0 || orders.length > ORDERS_AT_ONCE)
    throw new Problem(400, 'orders-invalid', `a report takes from 1 to ${ORDERS_AT_ONCE} orders`)
  const [customers, ...sold] = await Promise.all([
    call(request, 'user-service', 'GET', '/users/count'),
    ...orders.map(id => call(request, 'order-service', 'GET', `/orders/${id}`)),
  ])
  const revenue = sold.reduce((sum, { total }) => sum + total, 0)
  return reply(201, { orders: sold.length, revenue, customers: customers.count })
}

serve({ 'POST /analytics/reports': summarise })
