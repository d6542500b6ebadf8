/** While a release is under way both versions answer: a customer must not notice, whichever answers what. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { versions } from '../scripts/components.js'
import { walk } from '../scripts/journey.js'
import { password, startFleet } from './fleet.js'

let fleet
before(async () => {
  // Measuring what is covered is left to the tests of the one version that is released: it costs much here.
  fleet = await startFleet(versions, { NODE_V8_COVERAGE: '' })
})
after(() => fleet.stop())

test('a customer of 2.9 is served by any mixture of versions', async () => {
  const seen = new Map()
  const onAnswer = ({ component, version }) => seen.set(`${component} ${version}`, true)
  for (let round = 0; round < 8; round++) await walk({ gateway: fleet.gateway, password, onAnswer })
  assert.equal(seen.size, fleet.instances.length, 'every instance answered at least once')
})
