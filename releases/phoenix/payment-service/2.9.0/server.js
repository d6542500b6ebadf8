/** Authorises and voids card payments. A payment's id is its signed record. */
import { createHash } from 'node:crypto'
import { customerOf, open, Problem, reply, seal, serve } from './kit.js'

/** Cents: 10,000.00 at once. */
const LIMIT = 1_000_000
const CURRENCIES = ['EUR', 'USD', 'GBP']

const checkAmount = ({ amount, currency }) => {
  if (!Number.isSafeInteger(amount) || amount <= 0)
    throw new Problem(400, 'amount-invalid', 'the amount is a whole number of cents above 0')
  if (!CURRENCIES.includes(currency))
    throw new Problem(400, 'currency-unknown', `the currency is one of ${CURRENCIES.join(', ')}`)
  if (amount > LIMIT) throw new Problem(402, 'declined', `at most ${LIMIT} cents can be authorised at once`)
}

/** The same for a repeated request, so that a repetition authorises nothing twice. */
const referenceOf = (user, request) =>
  createHash('sha256').update(`${user} ${request.key}`).digest('hex').slice(0, 12)

const authorise = async request => {
  const { user } = await customerOf(request)
  const { amount, currency, card } = request.body
  checkAmount(request.body)
  if (!/^tok_\w{4,}$/.test(card)) throw new Problem(400, 'card-invalid', 'the card is a token, tok_…')
  const payment = { reference: referenceOf(user, request), user, amount, currency }
  return reply(201, { id: seal('payment', payment), status: 'authorised', amount, currency })
}

const show = async request => {
  const { user } = await customerOf(request)
  const payment = open('payment', request.params.id, user)
  return { status: 'authorised', amount: payment.amount, currency: payment.currency }
}

serve({ 'POST /payments': authorise, 'GET /payments/:id': show })
