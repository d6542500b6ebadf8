/**
 * What runs where, and how requests are divided: a platform's state in memory, changed as the ports promise.
 *
 * Role: stands behind the model worlds of `release simulate` and of the properties. Boundary: data and rules; how long a
 * change takes and whether it fails is its users' affair.
 *
 *  MF1. A change is whole or is none; what was told apart as half of one has a name of its own ({@link ModelFleet.takeOver}).
 *  MF2. What runs as it should already is not touched.
 */
import { ReleaseError } from '../../src/errors.ts'
import { canonicalJson } from '../../src/plan/canonical.ts'
import { ALL_STABLE, type Revision, type Side, type Traffic } from '../../src/plan/plan.ts'
import type { Desired, Instance, Observed, Promotion } from '../../src/run/ports.ts'
import type { Expected } from '../../src/run/validation.ts'

/** What each slot of a side runs. */
export type Slots = ReadonlyMap<number, Revision>

/** One component in one environment. */
export interface ModelPlace {
  readonly stable: Map<number, Revision>
  readonly canary: Map<number, Revision>
  readonly baseline: Map<number, Revision>
  traffic: Traffic
}

const SIDES: readonly Side[] = ['stable', 'canary', 'baseline']

export class ModelFleet {
  readonly #places = new Map<string, ModelPlace>()

  /** Every place that was ever started or asked for, under `environment/component`. */
  get places(): ReadonlyMap<string, ModelPlace> {
    return this.#places
  }

  place(environment: string, component: string): ModelPlace {
    const key = `${environment}/${component}`
    const known = this.#places.get(key)
    if (known !== undefined) return known
    const fresh = { stable: new Map(), canary: new Map(), baseline: new Map(), traffic: ALL_STABLE }
    this.#places.set(key, fresh)
    return fresh
  }

  observe(environment: string, component: string): Observed {
    const place = this.place(environment, component)
    const instances = SIDES.flatMap(side =>
      [...place[side]]
        .sort(([a], [b]) => a - b)
        .map(([slot, revision]) => instanceOf({ side, slot, revision }, place.traffic)),
    )
    return { instances, traffic: place.traffic }
  }

  converge({ environment, component, side, from, to, revision }: Desired): void {
    const slots = this.place(environment, component)[side]
    for (let slot = from; slot < to; slot += 1) {
      if (revision === null) slots.delete(slot)
      else if (!isSame(slots.get(slot), revision)) slots.set(slot, revision)
    }
  }

  divide(environment: string, component: string, traffic: Traffic): void {
    this.place(environment, component).traffic = traffic
  }

  promote(promotion: Promotion): void {
    this.takeOver(promotion)
    this.place(promotion.environment, promotion.component).canary.clear()
  }

  /** Brings about what should be of one place, and nothing beside it: what a platform's recoveries come to. */
  mend({ environment, component, slots }: Expected): void {
    const place = this.place(environment, component)
    for (const side of SIDES) place[side].clear()
    for (const { slot, revision } of slots) place.stable.set(slot, revision)
    place.traffic = ALL_STABLE
  }

  /**
   * The first half of a promotion, which is one step at the router: the stable slots are the canary's and have all
   * requests. What is left of the canary still runs.
   *
   * @throws ReleaseError with code `promote-too-few`
   */
  takeOver({ environment, component, revision, instances }: Promotion): void {
    const place = this.place(environment, component)
    if (runsAll(place.stable, revision, instances)) return
    const ready = [...place.canary].filter(([, one]) => isSame(one, revision)).map(([slot]) => slot)
    if (ready.length < instances) {
      throw new ReleaseError(
        'promote-too-few',
        `${component} in ${environment} has ${ready.length} of ${instances} instances of ${revision.version}`,
      )
    }
    place.stable.clear()
    for (const [slot, old] of ready.slice(0, instances).entries()) {
      place.canary.delete(old)
      place.stable.set(slot, revision)
    }
    place.traffic = ALL_STABLE
  }
}

/** Whether a share of the requests, or of their copies, goes to another side than the stable one. */
export const isDivided = ({ traffic }: ModelPlace): boolean =>
  canonicalJson(traffic) !== canonicalJson(ALL_STABLE)

/** How many instances run beside the stable ones. */
export const besideOf = ({ canary, baseline }: ModelPlace): number => canary.size + baseline.size

const isSame = (one: Revision | undefined, other: Revision): boolean =>
  one !== undefined && canonicalJson(one) === canonicalJson(other)

const runsAll = (slots: Slots, revision: Revision, instances: number): boolean =>
  slots.size === instances && [...slots.values()].every(one => isSame(one, revision))

function instanceOf(
  { side, slot, revision }: Pick<Instance, 'side' | 'slot' | 'revision'>,
  { canary, baseline, match }: Traffic,
): Instance {
  const share = { stable: 100 - canary - baseline, canary: canary + match.length, baseline }[side]
  return {
    side,
    slot,
    revision,
    running: true,
    healthy: true,
    // A stable instance stays in the router's list whatever its share.
    routed: side === 'stable' || share > 0,
    pid: 1,
    address: 'http://127.0.0.1',
  }
}
