/**
 * What HAProxy really does, read back from its runtime API.
 *
 * Boundary: reads and understands; changes nothing and knows no file of ours.
 */
import { ALL_STABLE } from '../../../../src/plan/plan.ts'
import type { Route, Routing } from '../../../../src/run/ports.ts'
import { byPlace } from '../../loopback/kept-routing.ts'
import { type BackendPlace, MATCHES, placeOf, RULES, SERVERS, STICKY, WAY_BACK } from './files.ts'
import { belongsTo, type Entry, type Rule, readMatches, readRule, stickyEntries } from './rule.ts'
import type { Session } from './session.ts'

export interface LiveServer extends BackendPlace {
  /** `<backend>/<server>`, as the runtime API wants it. */
  readonly name: string
  readonly instance: string
  readonly port: number
  /** Taken out by us: it gets no new request. */
  readonly out: boolean
  /** Its health checks say that it is ill. */
  readonly down: boolean
  /** null: HAProxy was told of the server and no more. */
  readonly route: Route | null
}

/** One component as it is. */
export interface Live {
  /** null: HAProxy's configuration does not have the component. */
  readonly rule: Rule | null
  readonly routing: Routing
  readonly servers: readonly LiveServer[]
  /** Names of servers and backends that are described, whether or not they are there. */
  readonly described: ReadonlySet<string>
  /** Of every generation. */
  readonly matches: readonly Entry[]
  readonly sticky: readonly Entry[]
}

/** Lines of `show map`: an address, the key, the value. */
export const readMap = (answer: string): readonly Entry[] =>
  answer.split('\n').flatMap(line => {
    const [, key, value] = /^0x[0-9a-f]+ (\S+) ?(.*)$/.exec(line) ?? []
    return key === undefined ? [] : [{ key, value: value ?? '' }]
  })

const FORCED_OUT = 0x01

/** Lines of `show servers state`, by the names of their columns. */
const readServers = (answer: string, known: ReadonlyMap<string, string>): readonly LiveServer[] => {
  const rows = answer.split('\n').map(line => line.split(' '))
  const columns = rows.find(([first]) => first === '#')?.slice(1) ?? []
  return rows.flatMap(row => {
    const cell = (name: string): string => row[columns.indexOf(name)] ?? ''
    const place = placeOf(cell('be_name'))
    const instance = cell('srv_name')
    if (place === null || instance === WAY_BACK) return []
    const name = `${cell('be_name')}/${instance}`
    const port = Number(cell('srv_port'))
    const out = (Number(cell('srv_admin_state')) & FORCED_OUT) !== 0
    const route = routeOf({ instance, port, place, described: known.get(name) })
    return [{ ...place, name, instance, port, out, down: !out && cell('srv_op_state') === '0', route }]
  })
}

interface Described {
  readonly instance: string
  readonly port: number
  readonly place: BackendPlace
  readonly described: string | undefined
}

const routeOf = ({ instance, port, place, described }: Described): Route | null => {
  const [slot, version, ...health] = described?.split('|') ?? []
  if (slot === undefined || version === undefined) return null
  return { instance, side: place.side, slot: Number(slot), version, port, health: health.join('|') }
}

/** Reads one component back. */
export const readLive = async ({ ask }: Session, component: string): Promise<Live> => {
  const rules = readMap(await ask(`show map ${RULES}`))
  const known = new Map(readMap(await ask(`show map ${SERVERS}`)).map(({ key, value }) => [key, value]))
  const all = readServers(await ask('show servers state'), known)
  const servers = all.filter(server => server.component === component)
  const mine = (entry: Entry): boolean => belongsTo(entry, component)
  const matches = readMap(await ask(`show map ${MATCHES}`)).filter(mine)
  const sticky = readMap(await ask(`show map ${STICKY}`)).filter(mine)
  const written = rules.find(({ key }) => key === component)
  const bare = written === undefined ? null : readRule(written.value)
  const rule = bare && { ...bare, traffic: followed({ component, rule: bare, matches, sticky }) }
  return {
    rule,
    servers,
    described: new Set(known.keys()),
    matches,
    sticky,
    routing: routingOf(rule, servers),
  }
}

interface Followed {
  readonly component: string
  readonly rule: Rule
  readonly matches: readonly Entry[]
  readonly sticky: readonly Entry[]
}

/** The rule's traffic as far as the entries are there that carry it out. */
const followed = ({ component, rule, matches, sticky }: Followed): Rule['traffic'] => {
  const whole = stickyEntries({ component, rule }).every(({ key }) => sticky.some(entry => entry.key === key))
  return {
    ...rule.traffic,
    match: readMatches(matches, component, rule.generation),
    sticky: whole ? rule.traffic.sticky : null,
  }
}

const routingOf = (rule: Rule | null, servers: readonly LiveServer[]): Routing => {
  if (rule === null) return { fence: 0, routes: [], traffic: ALL_STABLE }
  const routes = servers.flatMap(({ page, out, route }) =>
    page === rule.page && !out && route !== null ? [route] : [],
  )
  return { fence: rule.fence, routes: routes.sort(byRoute), traffic: rule.traffic }
}

const byRoute = (a: Route, b: Route): number => byPlace(a, b) || (a.instance < b.instance ? -1 : 1)

const routesText = (routes: readonly Route[]): string =>
  JSON.stringify(
    [...routes]
      .sort(byRoute)
      .map(({ instance, side, slot, version, port, health }) => [
        instance,
        side,
        slot,
        version,
        port,
        health,
      ]),
  )

/** Whether the two name the same instances in the same places. */
export const sameRoutes = (a: readonly Route[], b: readonly Route[]): boolean =>
  routesText(a) === routesText(b)

const trafficText = ({ canary, baseline, match, sticky, carried }: Rule['traffic']): string => {
  const asked = match.map(({ kind, name, value }) => [kind, name, value])
  // As the rule keeps them: to four decimals.
  return JSON.stringify([canary.toFixed(4), baseline.toFixed(4), asked, sticky, carried])
}

/** Whether the two divide requests alike. */
export const sameTraffic = (a: Rule['traffic'], b: Rule['traffic']): boolean =>
  trafficText(a) === trafficText(b)

export const sameRouting = (a: Routing, b: Routing): boolean =>
  a.fence === b.fence && sameRoutes(a.routes, b.routes) && sameTraffic(a.traffic, b.traffic)
