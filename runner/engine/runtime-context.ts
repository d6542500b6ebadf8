/**
 * What a team's own function is given when it runs.
 */
import type { RuntimeContext } from '../../src/definition/model.ts'
import { ReleaseError } from '../../src/errors.ts'
import type { Json } from '../../src/plan/plan.ts'
import { outputsOf, type RunState } from '../../src/run/state.ts'
import type { Attempt } from './operations.ts'

/** Builds the context of one attempt; `$` is wired to the node's log, signal and process group. */
export async function runtimeContext({ task, world, signal, over }: Attempt): Promise<RuntimeContext> {
  const { plan } = task.state
  const log = world.log(task.work.key)
  return {
    $: await world.shell({ key: task.work.key, signal: AbortSignal.any([signal, over]), log }),
    outputs: guardOutputs(outputsOf(task.state), task.state),
    params: plan.params,
    secrets: Object.fromEntries(plan.secrets.map(({ name }) => [name, () => world.secrets.read(name)])),
    log: message => log.line(world.secrets.scrub(message)),
    signal,
    version: plan.release.version,
    fence: task.context.fence,
  }
}

/** An output that types call certain can still be missing: its step was left out by `--only`. That is said, not `undefined`. */
function guardOutputs(outputs: Record<string, Json>, state: RunState): Record<string, Json> {
  const steps = new Set(
    state.plan.nodes.flatMap(({ operation }) => (operation.kind === 'step' ? [operation.name] : [])),
  )
  return new Proxy(outputs, {
    get(target, name) {
      if (typeof name === 'string' && steps.has(name) && !Object.hasOwn(target, name)) {
        throw new ReleaseError(
          'output-missing',
          `the step "${name}" has no output in this run: it did not run`,
          {
            hint: 'Run without --only, or read it only where it is there: `"name" in outputs`.',
          },
        )
      }
      return Reflect.get(target, name) as Json
    },
  })
}
