/**
 * Strategies: how a component's instances are brought to another version.
 *
 * Boundary: data; the compiler expands a strategy into the plan's nodes.
 */
import { type Handle, handle } from './handle.ts'
import type { StrategyModel } from './model.ts'
import { brand } from './model.ts'
import { valueModel } from './param.ts'
import type { AmountOf, DurationOf, Written } from './value.ts'

/** How instances are replaced: what `rolling()` and `allAtOnce()` return. */
export interface Strategy extends Handle<StrategyModel> {}

/** Time limit of one batch, where the strategy does not say. */
const PROGRESS_DEADLINE = '10m'

export interface RollingOptions<Batch, Unavailable, Time> {
  /** Instances replaced at a time, or a share of them (`'25%'`); 1 if left out. */
  readonly batch?: AmountOf<Batch>
  /** How many, or which share, may be missing meanwhile; 0 if left out: new ones are healthy before old ones go. */
  readonly maxUnavailable?: AmountOf<Unavailable>
  /** Time limit of one batch; 10 minutes if left out. */
  readonly progressDeadline?: DurationOf<Time>
}

export interface AllAtOnceOptions<Time> {
  /** Time limit of the whole; 10 minutes if left out. */
  readonly progressDeadline?: DurationOf<Time>
}

/**
 * Replaces instances batch by batch; each batch is a checkpoint.
 *
 * @example
 * import { rolling } from 'release-as-code'
 *
 * const careful = rolling()
 * const quick = rolling({ batch: '25%', maxUnavailable: 1, progressDeadline: '5m' })
 */
export function rolling<
  const Batch extends Written | number = never,
  const Unavailable extends Written | number = never,
  const Time extends Written = never,
>(options: RollingOptions<Batch, Unavailable, Time> = {}): Strategy {
  const written: StrategyModel = {
    [brand]: 'strategy',
    kind: 'rolling',
    batch: valueModel<number | string>(options.batch ?? 1),
    maxUnavailable: valueModel<number | string>(options.maxUnavailable ?? 0),
    progressDeadline: valueModel<string>(options.progressDeadline ?? PROGRESS_DEADLINE),
  }
  return handle({}, written)
}

/**
 * Replaces all instances of a component together.
 *
 * @example
 * import { allAtOnce } from 'release-as-code'
 *
 * const together = allAtOnce({ progressDeadline: '2m' })
 */
export function allAtOnce<const Time extends Written = never>(
  options: AllAtOnceOptions<Time> = {},
): Strategy {
  const written: StrategyModel = {
    [brand]: 'strategy',
    kind: 'all-at-once',
    progressDeadline: valueModel<string>(options.progressDeadline ?? PROGRESS_DEADLINE),
  }
  return handle({}, written)
}
