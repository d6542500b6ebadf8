/** Ships what was ordered. A shipment's id is its signed record. */
import { call, customerOf, open, reply, seal, serve } from './kit.js'

const ship = async request => {
  const { user } = await customerOf(request)
  const order = await call(request, 'order-service', 'GET', `/orders/${request.body.order}`)
  const pieces = order.items.reduce((sum, { quantity }) => sum + quantity, 0)
  const shipment = { order: order.number, user, pieces, carrier: 'TechCorp Parcel' }
  return reply(201, { id: seal('shipment', shipment), status: 'accepted', ...shipment })
}

const show = async request => {
  const { user } = await customerOf(request)
  const shipment = open('shipment', request.params.id, user)
  return { status: 'accepted', order: shipment.order, pieces: shipment.pieces, carrier: shipment.carrier }
}

serve({ 'POST /shipments': ship, 'GET /shipments/:id': show })
