/**
 * What a router of this machine keeps in its folder, so that one that was killed comes back with the same, and so
 * that others can tell what it holds without starting it.
 *
 *     <environment>/<kind>/state.json    where it listens and which process it is
 *     <environment>/<kind>/routes.json   routes, traffic and the highest fence of each component
 *
 * Role: the two formats, how a change changes them, and how they are read. What a router does with them is its own.
 *
 * Invariants:
 *  K1. A change with a fence below the component's highest changes nothing.
 *  K2. A change gives the same result when it is made twice.
 */
import path from 'node:path'
import { ALL_STABLE, type PlanRouter, type Side } from '../../../src/plan/plan.ts'
import type { Route, RouteChange, Router, Routing } from '../../../src/run/ports.ts'
import { type Identity, isAlive } from './process-table.ts'
import { readState, replaceFile } from './state-file.ts'

/** A kind of router, and how one is made for an environment. */
export interface RouterKind {
  readonly kind: PlanRouter['kind']
  readonly open: (place: RouterPlace) => Router
}

export interface RouterPlace {
  readonly environment: string
  /** The router's own, absolute; made by it where it is not there. Named after its kind. */
  readonly folder: string
}

/** Where a router listens, and which process it is. A router may keep more here. */
export interface RouterState {
  readonly format: 1
  readonly port: number
  readonly process: Identity
}

export interface RoutesFile {
  readonly format: 1
  readonly components: Readonly<Record<string, Routing>>
}

/** The files that every router has in its folder. */
export const routerFiles = (folder: string) => ({
  state: path.join(folder, 'state.json'),
  routes: path.join(folder, 'routes.json'),
})

export const NO_ROUTING: Routing = { fence: 0, routes: [], traffic: ALL_STABLE }

/** All that is kept; what was kept before there were sides is of the stable side. */
export const readRoutings = async (folder: string): Promise<Readonly<Record<string, Routing>>> => {
  const file = await readState<RoutesFile>(routerFiles(folder).routes)
  return Object.fromEntries(
    Object.entries(file?.components ?? {}).map(([name, routing]) => [name, completed(routing)]),
  )
}

const completed = ({ fence, routes, traffic }: Partial<Routing>): Routing => ({
  fence: fence ?? 0,
  routes: (routes ?? []).map(route => ({ ...route, side: (route as Partial<Route>).side ?? 'stable' })),
  traffic: { ...ALL_STABLE, ...traffic },
})

/** A component's routing as it was last acknowledged, whether or not a router lives to follow it. */
export const readRouting = async (folder: string, component: string): Promise<Routing> =>
  (await readRoutings(folder))[component] ?? NO_ROUTING

/** Durable when it resolves. */
export const writeRoutings = (
  folder: string,
  components: Readonly<Record<string, Routing>>,
): Promise<void> => {
  const file: RoutesFile = { format: 1, components }
  return replaceFile(routerFiles(folder).routes, `${JSON.stringify(file, null, 2)}\n`)
}

/** What a change makes of a routing; null: its fence is older than the routing's. */
export const changedRouting = (before: Routing, change: RouteChange): Routing | null => {
  if (change.fence < before.fence) return null
  const added = new Set(change.add.map(route => route.instance))
  const stay = before.routes.filter(
    route => !added.has(route.instance) && !change.remove.includes(route.instance),
  )
  return {
    fence: change.fence,
    routes: [...stay, ...change.add].sort(byPlace),
    traffic: change.traffic ?? before.traffic,
  }
}

const SIDES: readonly Side[] = ['stable', 'canary', 'baseline']

/** Stable ones first, then the canary's, then the baseline's; on each side in order of their slot. */
export const byPlace = (
  a: { readonly side: Side; readonly slot: number },
  b: { readonly side: Side; readonly slot: number },
): number => SIDES.indexOf(a.side) - SIDES.indexOf(b.side) || a.slot - b.slot

/** The router's process as its folder says, if it lives; answers or not. */
export const recordedRouter = async (folder: string): Promise<RouterState | null> => {
  const state = await readState<RouterState>(routerFiles(folder).state)
  return state && isAlive(state.process) ? state : null
}
