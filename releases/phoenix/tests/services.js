/** What the services of the released version promise, asked of real processes through a gateway. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, request as open } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { components, releasedVersion } from '../scripts/components.js'
import { walk } from '../scripts/journey.js'
import { password, startFleet, startInstance } from './fleet.js'

const version = releasedVersion()
const phoenix = Number(version.split('.')[0]) >= 3
const since3 = { skip: phoenix ? false : 'new in 3.0' }

let fleet
let token
const ask = async (component, method, path, { body, text, headers } = {}) => {
  const answer = await fetch(`${fleet.gateway}/${component}${path}`, {
    method,
    headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
    body: text ?? (body && JSON.stringify(body)),
  })
  const content = answer.headers.get('content-type').includes('json')
    ? await answer.json()
    : await answer.text()
  return { status: answer.status, headers: answer.headers, content }
}
const api3 = { 'api-version': '3.0' }
const signIn = async username => {
  const answer = await ask('auth-service', 'POST', '/auth/login', { body: { username, password } })
  return answer.content.token
}
const pens = quantity => [{ sku: 'feather-pen', quantity }]
const penCount = async () =>
  (await ask('inventory-service', 'GET', '/inventory')).content.items.find(({ sku }) => sku === 'feather-pen')
    .available

before(async () => {
  fleet = await startFleet([version])
  token = await signIn('synthetic')
})
after(async () => {
  const codes = await fleet.stop()
  assert.deepEqual(new Set(codes), new Set([0]), 'every instance ends well after SIGTERM')
})

describe('every service', () => {
  for (const component of components)
    test(`${component} says its version, and refuses what it cannot serve`, async () => {
      const health = await ask(component, 'GET', '/health')
      assert.deepEqual(health.content, { status: 'ok', service: component, version })
      assert.equal(health.headers.get('service-version'), version)
      assert.equal((await ask(component, 'GET', '/no/such/path')).status, 404)
    })
})

/** One instance behind a gateway that takes everybody for a customer, on the side that it says. */
const alone = async (context, component, env = {}) => {
  const asked = []
  const gateway = createServer((incoming, outgoing) => {
    asked.push(incoming.headers)
    outgoing.writeHead(200, { 'content-type': 'application/json', 'x-release-side': 'canary' })
    outgoing.end(JSON.stringify({ user: 'synthetic' }))
  })
  gateway.listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  const instance = await startInstance(component, version, {
    ...env,
    RELEASE_GATEWAY: `http://127.0.0.1:${gateway.address().port}`,
  })
  context.after(() => {
    instance.process.kill('SIGKILL')
    gateway.close()
    gateway.closeAllConnections()
  })
  const get = async (path, headers = {}) => {
    const answer = await fetch(`http://127.0.0.1:${instance.port}${path}`, { headers })
    await answer.text()
    return answer
  }
  return { instance, asked, get }
}

test('a request keeps its side, and its answer names the sides that took part', async t => {
  const { asked, get } = await alone(t, 'user-service')
  const answer = await get('/users/me', { 'x-release-side': 'canary' })
  assert.deepEqual([answer.status, answer.headers.get('service-sides')], [200, 'canary'])
  await get('/users/me')
  assert.deepEqual(
    asked.map(headers => headers['x-release-side']),
    ['canary', undefined],
  )
})

describe('what is wrong with 3.0.0 shows in requests alone', since3, () => {
  const fault = (t, component, name) => alone(t, component, { PHOENIX_FAULT: name })

  test('errors-under-load: few orders are served, many are not', async t => {
    const { get } = await fault(t, 'order-service', 'errors-under-load')
    const place = async () => (await get('/orders/unknown')).status
    for (let count = 0; count < 20; count++) assert.equal(await place(), 404)
    const statuses = await Promise.all(Array.from({ length: 100 }, place))
    assert.deepEqual([...new Set(statuses)].sort(), [404, 500])
    assert.equal((await get('/health')).status, 200)
  })

  test('slow: payments take their time, and health does not', async t => {
    const { get } = await fault(t, 'payment-service', 'slow')
    const started = performance.now()
    await get('/payments/unknown')
    assert.ok(performance.now() - started >= 690)
    assert.equal((await get('/health')).status, 200)
  })

  test('leak: memory grows with every answer', async t => {
    const { instance, get } = await fault(t, 'inventory-service', 'leak')
    const resident = () =>
      Number(readFileSync(`/proc/${instance.process.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) / 1024
    const before = resident()
    for (let count = 0; count < 40; count++) await get('/inventory')
    assert.ok(resident() - before > 60, `it grew from ${before} to ${resident()} MB`)
  })

  test('crash-at-half: it lives with a quarter of the visits, and dies of all of them', async t => {
    const { instance, get } = await fault(t, 'user-service', 'crash-at-half')
    const visit = number => get('/users/me', { 'visit-number': String(number) })
    for (let count = 1; count <= 80; count++) assert.equal((await visit(count * 4)).status, 200)
    const exited = once(instance.process, 'exit')
    for (let count = 321; count <= 400; count++) await visit(count).catch(() => {})
    assert.notEqual((await exited)[0], 0)
  })
})

test('a customer gets from signing in to the shipment', async () => {
  await walk({ gateway: fleet.gateway, password })
})

describe('refusals', () => {
  const order = { items: pens(1), card: 'tok_visa4242' }
  const pay = more => ({ amount: 100, currency: 'EUR', card: 'tok_visa4242', ...more })
  const cases = [
    ['auth-service', 'POST', '/auth/login', { body: { username: 'synthetic', password: 'wrong' } }, 401],
    ['auth-service', 'POST', '/auth/login', { body: { username: 'nobody', password } }, 401],
    ['auth-service', 'POST', '/auth/login', { text: '{"username":' }, 400],
    ['auth-service', 'POST', '/auth/login', { text: '7' }, 400],
    ['auth-service', 'POST', '/auth/login', { text: `"${'x'.repeat(70_000)}"` }, 413],
    ['auth-service', 'GET', '/auth/whoami', { headers: { authorization: 'Bearer a.b.c' } }, 401],
    ['user-service', 'GET', '/users/me', { headers: { authorization: '' } }, 401],
    ['payment-service', 'POST', '/payments', { body: pay({ amount: 0 }) }, 400],
    ['payment-service', 'POST', '/payments', { body: pay({ amount: 1_000_001 }) }, 402],
    ['payment-service', 'POST', '/payments', { body: pay({ currency: 'XXX' }) }, 400],
    ['payment-service', 'POST', '/payments', { body: pay({ card: '4111111111111111' }) }, 400],
    ['payment-service', 'GET', '/payments/payment_e30.forged', {}, 404],
    ['inventory-service', 'POST', '/inventory/reservations', { body: {} }, 400],
    ['inventory-service', 'POST', '/inventory/reservations', { body: { items: [null] } }, 404],
    ['inventory-service', 'POST', '/inventory/reservations', { body: { items: pens(0) } }, 400],
    ['inventory-service', 'POST', '/inventory/reservations', { body: { items: pens(99_999) } }, 409],
    ['order-service', 'POST', '/orders', { body: { ...order, items: pens(99_999) } }, 409],
    ['order-service', 'POST', '/orders', { body: { ...order, card: 'none' } }, 400],
    ['order-service', 'GET', '/orders/order_e30.forged', {}, 404],
    ['shipping-service', 'POST', '/shipments', { body: { order: 'order_e30.forged' } }, 404],
    ['notification-service', 'POST', '/notifications', { body: { template: 'spam' } }, 400],
    ['analytics-service', 'POST', '/analytics/reports', { body: { orders: [] } }, 400],
  ]
  for (const [component, method, path, options, status] of cases)
    test(`${method} ${component}${path} ${JSON.stringify(options).slice(0, 60)} → ${status}`, async () => {
      const answer = await ask(component, method, path, options)
      assert.equal(answer.status, status, JSON.stringify(answer.content))
      assert.equal(
        typeof answer.content.error,
        'string',
        'the error format of 2.9, for who asks for no other',
      )
    })
})

test('a customer sees no order of another', async () => {
  const mine = await ask('order-service', 'POST', '/orders', {
    body: { items: pens(1), card: 'tok_visa4242' },
  })
  const headers = { authorization: `Bearer ${await signIn('synthetic-free')}` }
  assert.equal((await ask('order-service', 'GET', `/orders/${mine.content.id}`, { headers })).status, 404)
  assert.equal((await ask('order-service', 'GET', `/orders/${mine.content.id}`)).status, 200)
})

test('an order that is sent twice is one order, and takes stock once', async () => {
  const before = await penCount()
  const twice = { body: { items: pens(3), card: 'tok_visa4242' }, headers: { 'idempotency-key': 'the same' } }
  const first = await ask('order-service', 'POST', '/orders', twice)
  const second = await ask('order-service', 'POST', '/orders', twice)
  assert.equal(second.content.id, first.content.id)
  assert.equal(await penCount(), before - 3)
})

test('a payment that is declined gives the stock back', async () => {
  const before = await penCount()
  const refused = await ask('order-service', 'POST', '/orders', { body: { items: pens(5), card: 'none' } })
  assert.equal(refused.status, 400)
  assert.equal(await penCount(), before)
})

test('the page escapes, and greets only who signed in', async () => {
  const page = await ask('web-app', 'GET', '/', { headers: { authorization: '' } })
  assert.equal(page.status, 200)
  assert.match(page.content, new RegExp(`Sign in to order.*web-app ${version}`, 's'))
})

test('a service that cannot reach another says so, and not why', async () => {
  const alone = await startInstance('user-service', version, { RELEASE_GATEWAY: 'http://127.0.0.1:9' })
  const answer = await fetch(`http://127.0.0.1:${alone.port}/users/me`)
  assert.equal(answer.status, 502)
  assert.match(JSON.stringify(await answer.json()), /auth-service did not answer/)
  assert.equal(await alone.stop(), 0)
})

test('after SIGTERM a request under way is answered, and no other is taken', async () => {
  const instance = await startInstance('auth-service', version)
  const body = JSON.stringify({ username: 'synthetic', password })
  const address = { host: '127.0.0.1', port: instance.port, method: 'POST', path: '/auth/login' }
  const underWay = open({ ...address, headers: { expect: '100-continue', 'content-length': body.length } })
  underWay.flushHeaders()
  await once(underWay, 'continue')
  instance.process.kill('SIGTERM')
  const refused = () =>
    fetch(`http://127.0.0.1:${instance.port}/health`).then(
      () => false,
      () => true,
    )
  while (!(await refused()));
  underWay.end(body)
  const [answer] = await once(underWay, 'response')
  assert.equal(answer.statusCode, 201)
  assert.equal(answer.headers.connection, 'close')
  answer.resume()
  assert.equal(await instance.stop(), 0)
})

test('an instance without its key does not start', async () => {
  await assert.rejects(startInstance('user-service', version, { TECHCORP_KEY: '' }), /ended with 1/)
  await assert.rejects(startInstance('auth-service', version, { SYNTHETIC_PASSWORD: '' }), /ended with 1/)
})

describe('3.0', since3, () => {
  const authenticate = body => ask('auth-service', 'POST', '/auth/authenticate', { headers: api3, body })

  test('a customer of 3.0 gets from signing in to the shipment', async () => {
    await walk({ gateway: fleet.gateway, api: '3.0', password })
  })

  test('/auth/login is said to be going away', async () => {
    const answer = await ask('auth-service', 'POST', '/auth/login', {
      body: { username: 'synthetic', password },
    })
    assert.match(answer.headers.get('link'), /authenticate/)
    assert.equal(answer.headers.get('deprecation'), '@1717718400')
  })

  test('/auth/authenticate asks for the API version and for scopes that exist', async () => {
    const body = { username: 'synthetic', password }
    assert.equal((await ask('auth-service', 'POST', '/auth/authenticate', { body })).status, 400)
    assert.equal((await authenticate({ ...body, scope: ['all'] })).status, 400)
    assert.deepEqual((await authenticate({ ...body, scope: ['read:profile'] })).content.scope, [
      'read:profile',
    ])
  })

  test('an error says its code and the request to those who ask for 3.0', async () => {
    const { status, content } = await ask('order-service', 'GET', '/orders/none', { headers: api3 })
    assert.equal(status, 404)
    assert.equal(content.error.code, 'order-unknown')
    assert.match(content.error.requestId, /^[\da-f-]{36}$/)
    assert.equal(
      (await ask('user-service', 'GET', '/users/me', { headers: { 'api-version': '9' } })).status,
      400,
    )
  })

  test('a token does what its scopes say', async () => {
    const body = { username: 'synthetic', password, scope: ['read:profile'] }
    const headers = { ...api3, authorization: `Bearer ${(await authenticate(body)).content.token}` }
    assert.equal((await ask('user-service', 'GET', '/users/me', { headers })).content.tier, 'partner')
    const refused = await ask('order-service', 'POST', '/orders', { headers, body: { items: pens(1) } })
    assert.deepEqual([refused.status, refused.content.error.code], [403, 'scope-missing'])
  })

  test('Google Pay pays, and nothing unknown does', async () => {
    const order = type => ({ headers: api3, body: { items: pens(1), payment: { type, token: 'gp_4242' } } })
    const paid = await ask('order-service', 'POST', '/orders', order('google-pay'))
    assert.equal(paid.content.payment.method, 'google-pay')
    assert.equal((await ask('order-service', 'POST', '/orders', order('card'))).status, 400)
    assert.equal((await ask('order-service', 'POST', '/orders', order('shells'))).status, 400)
    const report = { headers: api3, body: { orders: [paid.content.id] } }
    const { content } = await ask('analytics-service', 'POST', '/analytics/reports', report)
    assert.deepEqual(content.revenueByMethod, { 'google-pay': paid.content.total })
  })

  test('a parcel goes as fast as asked', async () => {
    const placed = await ask('order-service', 'POST', '/orders', {
      body: { items: pens(1), card: 'tok_visa4242' },
    })
    const ship = speed =>
      ask('shipping-service', 'POST', '/shipments', { body: { order: placed.content.id, speed } })
    assert.equal((await ship('express')).content.days, 1)
    assert.equal((await ship('teleport')).status, 400)
  })

  test('a push message is short, and no channel is made up', async () => {
    const write = channel =>
      ask('notification-service', 'POST', '/notifications', {
        body: { template: 'order-confirmed', order: 'x'.repeat(80), channel },
      })
    assert.equal((await write('push')).content.text.length, 60)
    assert.equal((await write('pigeon')).status, 400)
  })

  test('one item of the catalogue can be asked for', async () => {
    assert.equal((await ask('inventory-service', 'GET', '/inventory/ash-desk')).content.price, 38_900)
    assert.equal((await ask('inventory-service', 'GET', '/inventory/nothing')).status, 404)
  })

  test('the free tier has 1000 requests an hour, each counted once', async () => {
    const headers = {
      authorization: `Bearer ${await signIn('synthetic-free')}`,
      'x-request-id': 'always the same',
    }
    const auth = fleet.instances.find(({ component }) => component === 'auth-service')
    const whoami = async () => {
      const answer = await fetch(`http://127.0.0.1:${auth.port}/auth/whoami`, { headers })
      await answer.text()
      return answer
    }
    const askFor = async count => {
      for (let asked = 0; asked < count; asked++) assert.equal((await whoami()).status, 200)
    }
    await Promise.all(Array.from({ length: 10 }, () => askFor(99)))
    let answer = await whoami()
    for (let asked = 991; answer.status === 200 && asked < 1_001; asked++) answer = await whoami()
    assert.equal(answer.status, 429)
    assert.ok(Number(answer.headers.get('retry-after')) > 3_000)
    assert.equal(
      (await ask('order-service', 'POST', '/orders', { headers, body: { items: pens(1) } })).status,
      429,
    )
  })

  test('PHOENIX_FAULT makes the service that it names unwell, where it is meant, and no other', async () => {
    const cases = [
      ['payment-service', {}, 503],
      ['user-service', {}, 200],
      ['payment-service', { PHOENIX_FAULT_IN: 'production', RELEASE_ENVIRONMENT: 'staging' }, 200],
      ['payment-service', { PHOENIX_FAULT_IN: 'production', RELEASE_ENVIRONMENT: 'production' }, 503],
    ]
    for (const [component, where, status] of cases) {
      const instance = await startInstance(component, version, { PHOENIX_FAULT: 'payment-service', ...where })
      const answer = await fetch(`http://127.0.0.1:${instance.port}/health`)
      assert.equal(answer.status, status)
      assert.equal((await answer.json()).status, status === 200 ? 'ok' : 'failing')
      assert.equal(await instance.stop(), 0)
    }
  })
})
