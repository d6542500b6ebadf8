/**
 * The smoke test: walks a customer's way through an environment's gateway, and checks that everything that
 * answers is of the released version.
 *
 *     node releases/phoenix/scripts/smoke.js staging
 *
 * The gateway's address is in RELEASE_GATEWAY_<ENVIRONMENT>, the version in RELEASE_VERSION.
 */
import { releasedVersion } from './components.js'
import { Wrong, walk } from './journey.js'
import { secretOf } from './keys.js'

/** Enough for every one of two instances to have its turn. */
const ROUNDS = 3

const gatewayOf = environment => {
  const variable = `RELEASE_GATEWAY_${environment.toUpperCase().replaceAll('-', '_')}`
  const gateway = process.env[variable]
  if (!gateway)
    throw new Error(`${variable} is not set: run this in a release, or give the gateway's address`)
  return gateway
}

const main = async (environment = '') => {
  const version = releasedVersion()
  const gateway = /^https?:/.test(environment) ? environment : gatewayOf(environment)
  const onAnswer = answer => {
    if (answer.version === version) return
    throw new Wrong(`${answer.what} was answered by ${answer.version} and should be by ${version}`)
  }
  for (const api of Number(version.split('.')[0]) >= 3 ? ['2.9', '3.0'] : ['2.9']) {
    for (let round = 0; round < ROUNDS; round++)
      await walk({ gateway, api, password: secretOf('synthetic-password'), onAnswer })
    console.log(
      `${ROUNDS} customers of API ${api} got from signing in to the shipment, all served by ${version}`,
    )
  }
}

await main(process.argv[2]).catch(error => {
  console.error(`smoke test failed: ${error.message}`)
  process.exitCode = 1
})
