/**
 * Places at which a test makes the runner die.
 *
 * Role: named points, so that a crash can be put between any two steps of the engine. Boundary: without
 * RELEASE_FAULT nothing here does anything, and all that it can ever do is to kill this process.
 *
 * The points: `journal:before-append:TYPE` and `journal:after-append:TYPE` (an event's type; after: on the
 * disk), `effect:before:KEY` and `effect:after:KEY` (a call's key; after: done and not yet recorded).
 */

/** Called at each point with its name. */
export type Faults = (point: string) => void

/**
 * From RELEASE_FAULT=`POINT[:NTH]`: SIGKILL to ourselves when POINT is reached for the NTH time (1 if left out).
 * Undefined where the variable is not set. A key that itself ends in `:` and digits needs its NTH written out.
 */
export function faultsFromEnv(env: NodeJS.ProcessEnv = process.env): Faults | undefined {
  const wanted = env.RELEASE_FAULT
  if (wanted === undefined || wanted === '') return undefined
  const [, target, nth = '1'] = /^(.*?)(?::(\d+))?$/s.exec(wanted) ?? []
  let left = Number(nth)
  return point => {
    if (point === target && --left === 0) die()
  }
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  // The kernel may take a moment; not another statement of the runner is to happen in it.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000)
}
