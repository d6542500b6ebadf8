/**
 * What of a finished run is to be done when it is gone on with.
 */
import type { RunState, Work } from './state.ts'

/**
 * Every node of the plan that has not succeeded, or was taken back; never what `--only` left out. What was judged, waited
 * for or cleared away after something that was taken back is to be done again after it: a verdict on traffic that is
 * divided anew is none.
 */
export function reopenableNodes(state: RunState): readonly string[] {
  const keys: string[] = []
  const again = new Set<Work>()
  for (const work of state.works.values()) {
    if (work.rollback !== null) continue
    const { status } = work
    const open =
      status.type === 'succeeded'
        ? work.undone || (again.has(work) && isOfWhatItFollows(work))
        : !(status.type === 'skipped' && status.because === 'only')
    if (!open) continue
    keys.push(work.key)
    if (work.undone || again.has(work)) for (const dependent of work.dependents) again.add(dependent)
  }
  return keys
}

/** It has no effect of its own that lasts, and means nothing without what it follows. */
function isOfWhatItFollows({ node }: Work): boolean {
  const { kind } = node.operation
  // In the middle of a canary: what people gave still counts, but not before what they have seen is there again.
  if (kind === 'wait' || kind === 'approval')
    return node.component !== undefined || node.lockstep !== undefined
  // Traffic whose undoing failed may be as it was or not: its instances are gone, and it is found out once they are back.
  return kind === 'analyse' || kind === 'shift' || kind === 'remove' || kind === 'join'
}
