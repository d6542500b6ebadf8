/** How the contracts of a platform take hold of it. */
import type { Revision, Side } from '../../src/plan/plan.ts'
import type { PlatformContext } from '../../src/run/ports.ts'
import type { PlatformRig } from './platform.ts'

export const contextWith = (more: Partial<PlatformContext> = {}): PlatformContext => ({
  signal: new AbortController().signal,
  fence: 0,
  log: () => undefined,
  secret: async () => '',
  ...more,
})

/** Brings the first `to` slots of a side to a revision; null: to none. */
export const bringer =
  (rig: () => PlatformRig) =>
  (component: string, side: Side, revision: Revision | null, to = 2) =>
    rig().platform.converge(
      {
        environment: rig().environment,
        component,
        side,
        from: 0,
        to,
        revision: revision && { ...revision, component },
        maxUnavailable: 0,
      },
      contextWith(),
    )
