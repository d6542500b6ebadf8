/** What the parts of the local platform share. */
import type { Router } from '../../../../src/run/ports.ts'
import type { RouterKind } from '../../loopback/kept-routing.ts'
import { type EnvironmentFolders, environmentFolders, routerFolder } from './home.ts'
import type { Store } from './store.ts'

/** Places at which a test may end the process, to see that the next one finds its way. */
export type FaultPoint =
  | 'intended'
  | 'spawned'
  | 'recorded'
  | 'healthy'
  | 'routing'
  | 'routed'
  | 'drained'
  | 'ended'
  | 'forgotten'
  | 'relabelled'

/** Those of a `converge`. */
export const faultPoints: readonly FaultPoint[] = [
  'intended',
  'spawned',
  'recorded',
  'healthy',
  'routing',
  'routed',
  'drained',
  'ended',
  'forgotten',
]

/** Those of a promotion, which starts nothing. */
export const promotionPoints: readonly FaultPoint[] = [
  'routing',
  'routed',
  'relabelled',
  'drained',
  'ended',
  'forgotten',
]

export interface Settings {
  /** How long an instance that was taken out of the gateway may finish what it answers, milliseconds. */
  readonly drainTimeout: number
  /** From SIGTERM to SIGKILL, milliseconds. */
  readonly stopGrace: number
}

const millisFrom = (text: string | undefined, fallback: number): number => {
  const value = Number(text)
  return text !== undefined && text !== '' && Number.isFinite(value) && value >= 0 ? value : fallback
}

/** `RELEASE_LOCAL_DRAIN_MS` (10 s) and `RELEASE_LOCAL_GRACE_MS` (5 s). */
export const settingsFrom = (env: Readonly<Record<string, string | undefined>>): Settings => ({
  drainTimeout: millisFrom(env.RELEASE_LOCAL_DRAIN_MS, 10_000),
  stopGrace: millisFrom(env.RELEASE_LOCAL_GRACE_MS, 5_000),
})

export interface World {
  readonly home: string
  readonly cluster: string
  readonly store: Store
  /** What stands before each environment. */
  readonly router: RouterKind
  readonly settings: Settings
  readonly reached: (point: FaultPoint) => void
}

/** A component in an environment, and where what is known of it lies. */
export interface Site {
  readonly world: World
  readonly environment: string
  readonly component: string
  readonly folders: EnvironmentFolders
  readonly router: Router
}

/** The kind, opening one router a folder: a router may hold connections. */
export const openedOnce = ({ kind, open }: RouterKind): RouterKind => {
  const opened = new Map<string, Router>()
  return {
    kind,
    open(place) {
      const known = opened.get(place.folder) ?? open(place)
      opened.set(place.folder, known)
      return known
    },
  }
}

export const siteOf = (world: World, environment: string, component: string): Site => {
  const folders = environmentFolders(world.home, world.cluster, environment)
  const { router } = world
  const opened = router.open({ environment, folder: routerFolder(folders, router.kind) })
  return { world, environment, component, folders, router: opened }
}

/** Where the component's lock lies. */
export const placeOf = (site: Site) => ({
  home: site.world.home,
  cluster: site.world.cluster,
  environment: site.environment,
  component: site.component,
})
