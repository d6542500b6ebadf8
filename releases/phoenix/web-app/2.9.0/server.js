/** The shop's page, drawn here from what the services say. */

import { call, customerOf, reply, serve } from './kit.js'
import manifest from './package.json' with { type: 'json' }

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escapeHtml = text => String(text).replace(/[&<>"']/g, character => ENTITIES[character])

const priceOf = cents => `${(cents / 100).toFixed(2)} €`
const rowOf = ({ name, price, available }) =>
  `<tr><td>${escapeHtml(name)}</td><td>${priceOf(price)}</td><td>${available > 0 ? 'in stock' : 'sold out'}</td></tr>`

const page = ({ greeting, items }) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>TechCorp</title>
<h1>TechCorp</h1>
<p>${escapeHtml(greeting)}</p>
<table>${items.map(rowOf).join('')}</table>
<footer>web-app ${manifest.version}</footer>
</html>
`

const greet = async request => {
  if (!request.headers.authorization) return 'Welcome. Sign in to order.'
  return `Welcome back, ${(await customerOf(request)).user}.`
}

const home = async request => {
  const [greeting, { items }] = await Promise.all([
    greet(request),
    call(request, 'order-service', 'GET', '/orders/catalogue'),
  ])
  return reply(200, page({ greeting, items }), { 'content-type': 'text/html; charset=utf-8' })
}

serve({ 'GET /': home })
