/**
 * The places of an environment, as a release tells its commands: the environment itself, or each of its regions.
 *
 * A place that is the whole environment has every component; a region has some, and is asked which.
 */
import { components } from './components.js'

const variableOf = name => `RELEASE_GATEWAY_${name.toUpperCase().replaceAll('-', '_')}`

/** By name, the gateways that `RELEASE_GATEWAY_…` says. */
const gatewaysOf = environment => {
  if (/^https?:/.test(environment)) return { [environment]: environment }
  const whole = process.env[variableOf(environment)]
  if (whole) return { [environment]: whole }
  const prefix = `${variableOf(environment)}_`
  const found = Object.entries(process.env).filter(([name]) => name.startsWith(prefix))
  if (found.length > 0)
    return Object.fromEntries(
      found
        .map(([name, gateway]) => [name.slice(prefix.length).toLowerCase().replaceAll('_', '-'), gateway])
        .sort(([a], [b]) => a.localeCompare(b)),
    )
  throw new Error(`${prefix.slice(0, -1)} is not set: run this in a release, or give the gateway's address`)
}

const isThere = async (gateway, component) => {
  const answer = await fetch(`${gateway}/${component}/health`)
  await answer.arrayBuffer()
  return answer.status !== 404
}

/** `[{name, gateway, components}]`, in order of name. Throws where no gateway is known. */
export const placesOf = async environment => {
  const gateways = Object.entries(gatewaysOf(environment))
  const whole = gateways.length === 1 && gateways[0][0] === environment
  return Promise.all(
    gateways.map(async ([name, gateway]) => {
      const there = await Promise.all(components.map(component => whole || isThere(gateway, component)))
      return { name, gateway, components: components.filter((_, index) => there[index]) }
    }),
  )
}
