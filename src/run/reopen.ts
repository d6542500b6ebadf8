/**
 * What of a finished run is to be done when it is gone on with.
 */
import type { RunState } from './state.ts'

/** Every node of the plan that has not succeeded, or was taken back; never what `--only` left out. */
export function reopenableNodes(state: RunState): readonly string[] {
  const keys: string[] = []
  for (const work of state.works.values()) {
    if (work.rollback !== null) continue
    const { status } = work
    const open =
      status.type === 'succeeded' ? work.undone : !(status.type === 'skipped' && status.because === 'only')
    if (open) keys.push(work.key)
  }
  return keys
}
