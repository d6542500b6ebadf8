/**
 * Knows the catalogue and reserves stock. A reservation's id is its signed record; the counts are this
 * instance's share of the warehouse.
 *
 * New in 3.0: one item can be asked for alone, and a reservation says until when it can be released.
 */
import { customerOf, hasFault, open, Problem, reply, seal, serve } from './kit.js'

/** Cents and pieces. */
const CATALOGUE = [
  { sku: 'feather-pen', name: 'Feather pen', price: 1_290, stock: 20_000 },
  { sku: 'ember-lamp', name: 'Ember lamp', price: 4_950, stock: 8_000 },
  { sku: 'ash-desk', name: 'Ash desk', price: 38_900, stock: 500 },
]
/** A reservation that nobody releases is a sale, and is forgotten here when the warehouse is counted again. */
const COUNTED_EVERY = 900_000

/** The fault `leak`: a picture of the shelves is drawn for every answer, and all of them are kept. */
const PICTURE = 2 * 1024 * 1024
const pictures = []

const drawn = handle => request => {
  pictures.push(Buffer.alloc(PICTURE, 1))
  return handle(request)
}

const shown = hasFault('leak') ? drawn : handle => handle

const reserved = new Map()
const itemOf = sku => CATALOGUE.find(item => item.sku === sku)

const forgetCounted = () => {
  for (const [id, { until }] of reserved) {
    if (until > Date.now()) return
    reserved.delete(id)
  }
}

const available = sku => {
  const taken = [...reserved.values()].flatMap(({ items }) => items).filter(item => item.sku === sku)
  return taken.reduce((left, { quantity }) => left - quantity, itemOf(sku).stock)
}

const checkItems = items => {
  if (!Array.isArray(items) || items.length === 0)
    throw new Problem(400, 'items-missing', 'an order has at least one item')
  for (const item of items) {
    const { sku, quantity } = item ?? {}
    if (!itemOf(sku)) throw new Problem(404, 'sku-unknown', `there is no ${sku} in the catalogue`)
    if (!Number.isSafeInteger(quantity) || quantity < 1)
      throw new Problem(400, 'quantity-invalid', 'a quantity is a whole number from 1')
    if (available(sku) < quantity)
      throw new Problem(409, 'out-of-stock', `fewer than ${quantity} of ${sku} are left`)
  }
}

/** The reservation of this key, made now unless it was made before. */
const reservationOf = (key, items) => {
  if (reserved.has(key)) return reserved.get(key)
  checkItems(items)
  const reservation = { items, until: Date.now() + COUNTED_EVERY }
  reserved.set(key, reservation)
  return reservation
}

const reserve = async request => {
  const { user } = await customerOf(request)
  forgetCounted()
  const key = `${user} ${request.key}`
  const { items, until } = reservationOf(key, request.body.items)
  const priced = items.map(({ sku, quantity }) => ({ sku, quantity, price: itemOf(sku).price }))
  const total = priced.reduce((sum, { price, quantity }) => sum + price * quantity, 0)
  return reply(201, { id: seal('reservation', { user, key }), items: priced, total, until })
}

const release = async request => {
  const { user } = await customerOf(request)
  reserved.delete(open('reservation', request.params.id, user).key)
  return { status: 'released' }
}

const describe = ({ sku, name, price }) => ({ sku, name, price, available: available(sku) })

const show = ({ params: { sku } }) => {
  const item = itemOf(sku)
  if (!item) throw new Problem(404, 'sku-unknown', `there is no ${sku} in the catalogue`)
  return describe(item)
}

serve({
  'GET /inventory': shown(() => ({ items: CATALOGUE.map(describe) })),
  'GET /inventory/:sku': shown(show),
  'POST /inventory/reservations': reserve,
  'DELETE /inventory/reservations/:id': release,
})
