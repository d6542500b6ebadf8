/**
 * What a team's own function is given when it runs.
 */
import type { RuntimeContext } from '../../src/definition/model.ts'
import { outputsOf } from '../../src/run/outputs.ts'
import type { Attempt } from './operations.ts'

/** Builds the context of one attempt; `$` is wired to the node's log, signal and process group. */
export async function runtimeContext({ task, world, signal, over }: Attempt): Promise<RuntimeContext> {
  const { plan } = task.state
  const log = world.log(task.work.key)
  return {
    $: await world.shell({ key: task.work.key, signal: over, log }),
    outputs: outputsOf(task.state),
    params: plan.params,
    secrets: Object.fromEntries(plan.secrets.map(({ name }) => [name, () => world.secrets.read(name)])),
    log: message => log.line(world.secrets.scrub(message)),
    signal,
    version: plan.release.version,
    fence: task.context.fence,
  }
}
