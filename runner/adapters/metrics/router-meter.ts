/**
 * What the environment's router has counted, and what the platform knows of its processes.
 *
 *  RM1. The first look is taken when the meter is opened; where that failed, the first reading that succeeds is it, and
 *       measures nothing.
 *  RM2. A reading that failed loses nothing: the next one reaches back to the last that succeeded.
 */
import { ReleaseError } from '../../../src/errors.ts'
import { measureCpu, measureMemory, measureRequests, type Snapshot } from '../../../src/judge/counters.ts'
import type { Measurement } from '../../../src/judge/measurement.ts'
import type { MeasureTarget, PlanMeasure } from '../../../src/plan/plan.ts'
import type { Meter, Platform } from '../../../src/run/ports.ts'
import { framed, type MeterContext, orLeave, within } from './reading.ts'

export interface RouterMeterRequest {
  readonly measure: PlanMeasure
  readonly target: MeasureTarget
  readonly platform: Platform
}

/** Opens a meter on a router's counters. Fails with code `measure-unknown` for what no router counts. */
export async function openRouterMeter(
  { measure, target, platform }: RouterMeterRequest,
  context: MeterContext,
  signal: AbortSignal,
): Promise<Meter> {
  const { environment, component } = target
  const counters = looking(context, () => platform.counters(environment, component))
  const usage = looking(context, () => platform.usage(environment, component))
  switch (measure.kind) {
    case 'memory':
      return framed(context, async reading => measureMemory(target, await usage(reading)))
    case 'cpu':
      return between(usage, (earlier, later) => measureCpu({ target, earlier, later }), context, signal)
    case 'promql':
    case 'json':
    case 'command':
      throw new ReleaseError('measure-unknown', `a router does not measure ${measure.kind}`, {
        hint: "Name a source that does: { from: prometheus('http://…') }.",
      })
    default:
      return between(
        counters,
        (earlier, later) => measureRequests(measure, { target, earlier, later }),
        context,
        signal,
      )
  }
}

type Look<Row> = (signal: AbortSignal) => Promise<Snapshot<Row>>

/** A platform's look has no signal of its own: one that hangs is left to itself. */
const looking =
  <Row>({ now }: MeterContext, read: () => Promise<readonly Row[]>): Look<Row> =>
  async signal => {
    const rows = await orLeave(signal, read())
    return { at: now(), rows }
  }

/** A meter that measures from one look to the next. */
async function between<Row>(
  look: Look<Row>,
  measure: (earlier: Snapshot<Row>, later: Snapshot<Row>) => Measurement,
  context: MeterContext,
  signal: AbortSignal,
): Promise<Meter> {
  let last = await firstLook(look, context, signal)
  return framed(context, async reading => {
    const later = await look(reading)
    const earlier = last
    last = later
    return earlier === null ? { at: later.at, value: null } : measure(earlier, later)
  })
}

/** Null where it fails: that the source does not answer is for the readings to say. */
async function firstLook<Row>(
  look: Look<Row>,
  { timeout }: MeterContext,
  signal: AbortSignal,
): Promise<Snapshot<Row> | null> {
  try {
    return await within(signal, timeout, look)
  } catch (error) {
    if (signal.aborted) throw error
    return null
  }
}
