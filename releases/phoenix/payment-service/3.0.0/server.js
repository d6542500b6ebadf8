/**
 * Authorises payments by card, Apple Pay and Google Pay. A payment's id is its signed record.
 *
 * New in 3.0: methods. A request of 2.9, which names a card's token, is a payment by card.
 */
import { createHash } from 'node:crypto'
import { customerOf, hasFault, open, Problem, reply, seal, serve } from './kit.js'

/** Cents: 10,000.00 at once. */
const LIMIT = 1_000_000
const CURRENCIES = ['EUR', 'USD', 'GBP']
/** What a token of each method looks like. */
const METHODS = { card: /^tok_\w{4,}$/, 'apple-pay': /^ap_\w{4,}$/, 'google-pay': /^gp_\w{4,}$/ }

/** The fault `slow`, in milliseconds: every payment is looked up at a bank that takes its time. */
const BANK = 700

const asked = handle => async request => {
  await new Promise(resolve => setTimeout(resolve, BANK))
  return handle(request)
}

const known = hasFault('slow') ? asked : handle => handle

const checkAmount = ({ amount, currency }) => {
  if (!Number.isSafeInteger(amount) || amount <= 0)
    throw new Problem(400, 'amount-invalid', 'the amount is a whole number of cents above 0')
  if (!CURRENCIES.includes(currency))
    throw new Problem(400, 'currency-unknown', `the currency is one of ${CURRENCIES.join(', ')}`)
  if (amount > LIMIT) throw new Problem(402, 'declined', `at most ${LIMIT} cents can be authorised at once`)
}

const methodOf = ({ method, card }) => {
  const { type, token } = method ?? { type: 'card', token: card }
  if (!Object.hasOwn(METHODS, type))
    throw new Problem(400, 'method-unknown', `the method is one of ${Object.keys(METHODS).join(', ')}`)
  if (!METHODS[type].test(token)) throw new Problem(400, 'token-invalid', `this is no token of ${type}`)
  return type
}

/** The same for a repeated request, so that a repetition authorises nothing twice. */
const referenceOf = (user, request) =>
  createHash('sha256').update(`${user} ${request.key}`).digest('hex').slice(0, 12)

const authorise = async request => {
  const { user } = await customerOf(request)
  const { amount, currency } = request.body
  checkAmount(request.body)
  const method = methodOf(request.body)
  const payment = { reference: referenceOf(user, request), user, amount, currency, method }
  return reply(201, { id: seal('payment', payment), status: 'authorised', amount, currency, method })
}

const show = async request => {
  const { user } = await customerOf(request)
  const { amount, currency, method = 'card' } = open('payment', request.params.id, user)
  return { status: 'authorised', amount, currency, method }
}

serve({
  'POST /payments': known(authorise),
  'GET /payments/methods': () => ({ methods: Object.keys(METHODS) }),
  'GET /payments/:id': known(show),
})
