/** What the parts of the local platform share. */
import { type EnvironmentFolders, environmentFolders } from './home.ts'
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
  readonly settings: Settings
  readonly reached: (point: FaultPoint) => void
}

/** A component in an environment, and where what is known of it lies. */
export interface Site {
  readonly world: World
  readonly environment: string
  readonly component: string
  readonly folders: EnvironmentFolders
}

export const siteOf = (world: World, environment: string, component: string): Site => ({
  world,
  environment,
  component,
  folders: environmentFolders(world.home, world.cluster, environment),
})
