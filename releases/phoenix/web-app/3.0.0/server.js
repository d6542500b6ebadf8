/**
 * The shop's page, drawn here from what the services say.
 *
 * New in 3.0: the page says how one can pay.
 */

import { call, customerOf, Problem, reply, serve } from './kit.js'
import manifest from './package.json' with { type: 'json' }

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escapeHtml = text => String(text).replace(/[&<>"']/g, character => ENTITIES[character])

const LABELS = { card: 'Card', 'apple-pay': 'Apple Pay', 'google-pay': 'Google Pay' }
const priceOf = cents => `${(cents / 100).toFixed(2)} €`
const rowOf = ({ name, price, available }) =>
  `<tr><td>${escapeHtml(name)}</td><td>${priceOf(price)}</td><td>${available > 0 ? 'in stock' : 'sold out'}</td></tr>`

const page = ({ greeting, items, methods }) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>TechCorp Phoenix</title>
<h1>TechCorp</h1>
<p>${escapeHtml(greeting)}</p>
<table>${items.map(rowOf).join('')}</table>
<p>Pay with ${methods.map(method => escapeHtml(LABELS[method] ?? method)).join(', ')}.</p>
<footer>web-app ${manifest.version}</footer>
</html>
`

const greet = async request => {
  if (!request.headers.authorization) return 'Welcome. Sign in to order.'
  return `Welcome back, ${(await customerOf(request)).user}.`
}

/** A payment-service of 2.9 does not know the question, and takes cards. */
const methodsOf = async request => {
  try {
    return (await call(request, 'payment-service', 'GET', '/payments/methods')).methods
  } catch (error) {
    if (error instanceof Problem && [401, 404].includes(error.status)) return ['card']
    throw error
  }
}

const home = async request => {
  const [greeting, { items }, methods] = await Promise.all([
    greet(request),
    call(request, 'order-service', 'GET', '/orders/catalogue'),
    methodsOf(request),
  ])
  return reply(200, page({ greeting, items, methods }), { 'content-type': 'text/html; charset=utf-8' })
}

serve({ 'GET /': home })
