/**
 * The smoke test: walks a customer's way through an environment's gateway, and checks that everything that
 * answers is of the released version.
 *
 *     node releases/phoenix/scripts/smoke.js staging
 *
 * The gateways' addresses are in RELEASE_GATEWAY_<ENVIRONMENT> or, where it has regions, RELEASE_GATEWAY_<ENVIRONMENT>_<REGION>;
 * the version is in RELEASE_VERSION.
 */
import { releasedVersion } from './components.js'
import { Wrong, walk } from './journey.js'
import { secretOf } from './keys.js'
import { placesOf } from './places.js'

/** Enough for every one of two instances to have its turn. */
const ROUNDS = 3

const walkThrough = async ({ gateway, components }, version) => {
  const has = component => components.includes(component)
  const onAnswer = answer => {
    if (answer.version === version) return
    throw new Wrong(`${answer.what} was answered by ${answer.version} and should be by ${version}`)
  }
  for (const api of Number(version.split('.')[0]) >= 3 ? ['2.9', '3.0'] : ['2.9'])
    for (let round = 0; round < ROUNDS; round++)
      await walk({ gateway, api, has, password: secretOf('synthetic-password'), onAnswer })
}

const main = async (environment = '') => {
  const version = releasedVersion()
  for (const place of await placesOf(environment)) {
    await walkThrough(place, version)
    const all = `${place.components.length} components`
    console.log(`${place.name}: customers of every API got all the way, ${all}, all answers by ${version}`)
  }
}

await main(process.argv[2]).catch(error => {
  console.error(`smoke test failed: ${error.message}`)
  process.exitCode = 1
})
