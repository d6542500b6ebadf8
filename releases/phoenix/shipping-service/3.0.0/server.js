/**
 * Ships what was ordered. A shipment's id is its signed record.
 *
 * New in 3.0: a choice of speed, and the scope write:shipments. A shipment of 2.9 goes at standard speed.
 */
import { call, customerOf, open, Problem, reply, seal, serve } from './kit.js'

/** Days. */
const SPEEDS = { standard: 4, express: 1 }

const ship = async request => {
  const { user } = await customerOf(request, 'write:shipments')
  const { order: id, speed = 'standard' } = request.body
  if (!Object.hasOwn(SPEEDS, speed))
    throw new Problem(400, 'speed-unknown', `the speed is one of ${Object.keys(SPEEDS).join(', ')}`)
  const order = await call(request, 'order-service', 'GET', `/orders/${id}`)
  const pieces = order.items.reduce((sum, { quantity }) => sum + quantity, 0)
  const shipment = { order: order.number, user, pieces, carrier: 'TechCorp Parcel', speed }
  return reply(201, { id: seal('shipment', shipment), status: 'accepted', ...shipment, days: SPEEDS[speed] })
}

const show = async request => {
  const { user } = await customerOf(request)
  const { order, pieces, carrier, speed = 'standard' } = open('shipment', request.params.id, user)
  return { status: 'accepted', order, pieces, carrier, speed, days: SPEEDS[speed] }
}

serve({ 'POST /shipments': ship, 'GET /shipments/:id': show })
