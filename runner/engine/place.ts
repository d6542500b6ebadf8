/**
 * Where a deployment's node works, and what was there before it.
 */
import type { Revision } from '../../src/plan/plan.ts'
import type { Platform, PlatformContext } from '../../src/run/ports.ts'
import type { Task } from './engine.ts'
import type { Attempt } from './operations.ts'

/** What ran before a deployment, by slot: what its undoing restores. */
export interface Prepared {
  readonly before: readonly { readonly slot: number; readonly revision: Revision }[]
}

export interface Place {
  readonly platform: Platform
  readonly environment: string
  readonly component: string
  readonly context: PlatformContext
}

/** Where a deployment's node works, and with which token. */
export function placeOf({ task, world, signal }: Attempt): Place {
  const { node, key } = task.work
  const environment = node.environment!
  const component = node.component!
  const log = world.log(key)
  return {
    platform: world.platform(environment),
    environment,
    component,
    context: {
      signal,
      fence: world.fence(environment, component),
      log: log.line,
      secret: name => world.secrets.read(name),
    },
  }
}

/** What a deployment's `prepare` found. */
export const preparedOf = (task: Task, key: string): Prepared => {
  const work = task.state.works.get(key)!
  return work.status.type === 'succeeded' ? (work.value as unknown as Prepared) : { before: [] }
}
