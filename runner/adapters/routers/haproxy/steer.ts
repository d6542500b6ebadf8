/**
 * Brings a running HAProxy to a component's routing, by commands of its runtime API.
 *
 * Invariants:
 *  1. What requests see changes in one step: the component's rule is set when everything that it points to is ready.
 *     New routes are made ready on the page that is not followed; matches under a generation that is not looked up.
 *  2. It starts from what HAProxy says, never from what was done before: cut off anywhere, it is finished by the next.
 *  3. Servers of the page that was left go on with what they answer. They are taken away by a later change, when they
 *     answer nothing more.
 *  4. A server that was down stays so on the other page until it is well: making it ready there asks no request to
 *     find that out again.
 */
import { ReleaseError } from '../../../../src/errors.ts'
import type { Route, Routing } from '../../../../src/run/ports.ts'
import { describeServer, serverOptions, setEntries } from './config.ts'
import { backendName, expectName, MATCHES, type Page, RULES, SERVERS, STICKY } from './files.ts'
import { type Live, type LiveServer, readLive, sameRoutes, sameRouting, sameTraffic } from './live.ts'
import { type Entry, matchEntries, type Rule, stickyEntries, writeRule } from './rule.ts'
import { quoted, type Session } from './session.ts'

export interface Steering {
  readonly session: Session
  readonly component: string
  readonly wanted: Routing
  /** Called before servers are taken away, and after: what they counted is to be kept. */
  readonly keepCounts: () => Promise<void>
}

/**
 * Says false where HAProxy's configuration does not have the component. Fails with code `router-failed` where HAProxy
 * does something else than it was told.
 */
export const steer = async (steering: Steering): Promise<boolean> => {
  const { session, component, wanted } = steering
  const live = await readLive(session, component)
  if (live.rule === null) return false
  if (sameRouting(live.routing, wanted)) return true
  await bringAbout(steering, live, live.rule)
  const now = await readLive(session, component)
  if (sameRouting(now.routing, wanted)) return true
  throw new ReleaseError(
    'router-failed',
    `HAProxy divides ${component} otherwise than it was told: it says ${JSON.stringify(now.routing)}.`,
    { hint: 'Somebody else may steer it: its configuration and log lie beside its routes.' },
  )
}

const otherPage = (page: Page): Page => (page === 'a' ? 'b' : 'a')

const bringAbout = async (steering: Steering, live: Live, before: Rule): Promise<void> => {
  const { session, component, wanted } = steering
  const stays = sameRoutes(live.routing.routes, wanted.routes)
  const page = stays ? before.page : otherPage(before.page)
  if (!stays) await makeReady(steering, live, page)
  const generation = before.generation + (sameTraffic(before.traffic, wanted.traffic) ? 0 : 1)
  const rule: Rule = { fence: wanted.fence, page, generation, traffic: wanted.traffic }
  await addEntries(session, MATCHES, { wanted: matchEntries({ component, rule }), there: live.matches })
  await addEntries(session, STICKY, { wanted: stickyEntries({ component, rule }), there: live.sticky })
  await session.tell(`set map ${RULES} ${component} ${quoted(writeRule(rule))}`)
  await dropOthers(session, MATCHES, { wanted: matchEntries({ component, rule }), there: live.matches })
  await dropOthers(session, STICKY, { wanted: stickyEntries({ component, rule }), there: live.sticky })
}

interface Entries {
  readonly wanted: readonly Entry[]
  readonly there: readonly Entry[]
}

const addEntries = async (session: Session, map: string, { wanted, there }: Entries): Promise<void> => {
  for (const { key, value } of wanted)
    if (!there.some(entry => entry.key === key))
      await session.tell(`add map ${map} ${quoted(key)} ${quoted(value)}`)
}

const dropOthers = async (session: Session, map: string, { wanted, there }: Entries): Promise<void> => {
  for (const { key } of there)
    if (!wanted.some(entry => entry.key === key)) await session.tell(`del map ${map} ${quoted(key)}`)
}

const makeReady = async (steering: Steering, live: Live, page: Page): Promise<void> => {
  const { component, wanted } = steering
  const there = live.servers.filter(server => server.page === page)
  const nameOf = (route: Route): string =>
    `${backendName({ component, page, side: route.side })}/${expectName(route.instance)}`
  const names = new Set(wanted.routes.map(nameOf))
  await takeAway(
    steering,
    there.filter(server => !names.has(server.name)),
  )
  const down = new Set(live.servers.filter(server => server.down).map(({ instance }) => instance))
  const describe = describer(steering.session, live)
  for (const entry of setEntries({ component, page, routes: wanted.routes })) await describe(entry)
  for (const route of wanted.routes) {
    const server = there.find(({ name }) => name === nameOf(route)) ?? null
    await describe({ key: nameOf(route), value: describeServer(route) })
    await putIn(steering.session, { name: nameOf(route), route, server, down: down.has(route.instance) })
  }
}

interface Placed {
  readonly name: string
  readonly route: Route
  /** Left there by an earlier change. */
  readonly server: LiveServer | null
  readonly down: boolean
}

const putIn = async (session: Session, { name, route, server, down }: Placed): Promise<void> => {
  if (server === null) {
    const options = serverOptions(route.side)
    await session.tell(`add server ${name} 127.0.0.1:${route.port} ${options}`, 'New server registered.')
    await session.tell(`enable health ${name}`)
  } else if (server.port !== route.port) {
    const changed = await session.ask(`set server ${name} addr 127.0.0.1 port ${route.port}`)
    if (!changed.includes(`port changed from '${server.port}' to '${route.port}'`))
      throw new ReleaseError('router-failed', `HAProxy did not move ${name} to ${route.port}: ${changed}`)
  }
  await session.tell(`set server ${name} state ready`)
  await session.tell(setHealth(name, down ? 'down' : 'up'))
}

/** A server that HAProxy has just been given falls with its first failed check, unless it is told that it is well. */
export const setHealth = (name: string, health: 'up' | 'down'): string =>
  `set server ${name} health ${health}`

const describer =
  (session: Session, { described }: Live) =>
  ({ key, value }: Entry): Promise<void> =>
    session.tell(`${described.has(key) ? 'set' : 'add'} map ${SERVERS} ${quoted(key)} ${quoted(value)}`)

/** Takes servers out, and away where they answer nothing more. */
export const takeAway = async (
  { session, keepCounts }: Pick<Steering, 'session' | 'keepCounts'>,
  servers: readonly LiveServer[],
): Promise<void> => {
  if (servers.length === 0) return
  for (const { name, out } of servers) if (!out) await session.tell(`set server ${name} state maint`)
  await keepCounts()
  for (const server of servers) await remove(session, server)
  await keepCounts()
}

const remove = async (session: Session, { name, route }: LiveServer): Promise<void> => {
  const answer = await session.ask(`del server ${name}`)
  // It still answers somebody: it is out, and goes with a later change.
  if (answer !== 'Server deleted.') return
  if (route !== null) await session.tell(`del map ${SERVERS} ${quoted(name)}`)
}
