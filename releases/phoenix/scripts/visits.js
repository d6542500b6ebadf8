/**
 * The short visits of customers, of which there are many: one question to one component, checked like every other.
 *
 * They enter at every component, in such numbers that each gets about as many requests in all, its own and those of others
 * that ask it on a customer's behalf.
 */
import { ask, expect } from './journey.js'

/** Each: how it is asked, and whether the answer is right. `held` is what the customer has from a whole way through. */
const visits = {
  'auth-service': {
    to: () => ['GET', '/auth/whoami'],
    isRight: ({ content }) => content.user === 'synthetic',
  },
  'payment-service': {
    to: ({ payment }) => ['GET', `/payments/${payment}`],
    isRight: ({ content }) => content.status === 'authorised',
  },
  'inventory-service': {
    to: () => ['GET', '/inventory'],
    isRight: ({ content }) => content.items.length === 3,
  },
  'user-service': {
    to: () => ['GET', '/users/me'],
    isRight: ({ content }) => content.user === 'synthetic',
  },
  'order-service': {
    to: ({ order }) => ['GET', `/orders/${order}`],
    isRight: ({ content }, { order }) => content.id === order,
  },
  'shipping-service': {
    to: ({ shipment }) => ['GET', `/shipments/${shipment}`],
    isRight: ({ content }) => content.pieces === 3,
  },
  'notification-service': {
    to: ({ message }) => ['GET', `/notifications/${message}`],
    isRight: ({ content }) => content.text.length > 0,
  },
  'analytics-service': {
    to: ({ order }) => ['POST', '/analytics/reports', { orders: [order] }],
    isRight: ({ content }, { total }) => content.revenue === total,
  },
  'web-app': {
    to: () => ['GET', '/'],
    isRight: ({ content }) => content.includes('Welcome back, synthetic'),
  },
}

/** In turns: what others ask on a customer's behalf is visited less. */
const WHOLE = [
  ...['shipping-service', 'analytics-service', 'notification-service', 'payment-service', 'user-service'],
  ...['shipping-service', 'analytics-service', 'notification-service', 'inventory-service', 'web-app'],
  ...['order-service', 'payment-service', 'inventory-service', 'auth-service'],
]

/** The components that are visited, in the order of visits that is repeated, where only these are. */
export const turnsOf = components => {
  if (components.length === Object.keys(visits).length) return WHOLE
  const found = Object.keys(visits).filter(component => components.includes(component))
  // Whoever is visited asks auth-service who the customer is: where there are others, it has enough to do.
  return found.length > 1 ? found.filter(component => component !== 'auth-service') : found
}

/** One visit. `onAnswer` is told of the answer, right or wrong. Throws `Lost` or `Wrong`. */
export const visit = async ({ gateway, component, number, held, onAnswer }) => {
  const { to, isRight } = visits[component]
  const [method, path, body] = to(held)
  const answer = await ask(gateway, component, method, path, { token: held.token, body, visit: number })
  onAnswer(answer)
  const { what, status, content } = answer
  expect(status < 300, `${what} answered ${status}: ${JSON.stringify(content).slice(0, 200)}`)
  expect(isRight(answer, held), `${what} answered ${JSON.stringify(content).slice(0, 200)}`)
}
