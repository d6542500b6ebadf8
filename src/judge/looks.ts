/**
 * A comparison while it is measured: the points of both sides, and how often they may be looked at.
 *
 *     measurement ─▶ error of either side ─▶ counted in a row; one too many fails
 *                 ─▶ no data of a side ────▶ fail: fails at once · hold: no pass while it came last · ignore: nothing
 *                 ─▶ few requests ─────────▶ pooled with those of its side that follow; what is left over is not a point
 *                 ─▶ values ───────────────▶ a point of each side
 *
 *  LO1. Each look may be mistaken, so each spends a part of the doubt that the confidence leaves, and all parts together are
 *       no more than that (Bonferroni): a quarter is for three looks before the end, half for the end, and a quarter for
 *       four looks after it. Nothing else is looked at, however often one asks: a look at every new point would find, sooner
 *       or later, whatever one waits for.
 *  LO2. What a look finds worse is a failure, also the look at the end. Only what that one left open waits for more points.
 *  LO3. What has passed at its end has; a look after it can only find it worse.
 *  LO4. What was not measured never passes.
 *  LO5. What counts to a score is not looked at before its end: three quarters of the doubt are for that look. And what
 *       cannot be measured is unmeasured there, not worse.
 */
import type { NoData } from './analysis.ts'
import { type Comparison, type ComparisonRule, compareSeries } from './compare.ts'
import { type Measurement, readingOf, valuesOf } from './measurement.ts'
import { type Pool, poolWith } from './pool.ts'
import type { Gap } from './score.ts'
import { countOf } from './unit.ts'

/** What is compared, and what is made of measurements that say little. Times are in milliseconds. */
export interface LooksRule extends ComparisonRule {
  /** Of all looks together. */
  readonly confidence: number
  /** How the side is called that the canary is compared with: `stable`. */
  readonly other: string
  /** How many requests a point of either side has to rest on. */
  readonly minRequests: number
  /** How many measurements may be errors in a row; one more is a failure. */
  readonly consecutiveErrorLimit: number
  readonly noData: NoData
  readonly started: number
  /** How long it is watched; looks before the end are spread over it. */
  readonly duration: number
  /** It counts to a score when its time is over, and fails nothing by itself (LO5). */
  readonly counts?: boolean
}

/** What is said of the measurements so far. */
export interface Sight {
  readonly verdict: 'pass' | 'fail' | 'inconclusive' | 'unmeasured'
  /** For people, a sentence without its full stop. */
  readonly reason: string
}

const EARLY = { looks: 3, share: 1 / 4 } as const
const END = { looks: 1, share: 1 / 2 } as const
const ONLY_END = { looks: 1, share: EARLY.share + END.share } as const
const LATE = { looks: 4, share: 1 / 4 } as const

const GAPS: Readonly<Record<NoData, Gap>> = { hold: 'waits', fail: 'bad', ignore: 'left-out' }

/** What the look at the end may doubt, and each of those after it. */
export const doubtOfLooks = (confidence: number): { readonly ended: number; readonly waited: number } => ({
  ended: ((1 - confidence) * END.share) / END.looks,
  waited: ((1 - confidence) * LATE.share) / LATE.looks,
})

const VERDICTS: Readonly<Record<Comparison['verdict'], Sight['verdict']>> = {
  pass: 'pass',
  high: 'fail',
  low: 'fail',
  inconclusive: 'inconclusive',
  'no-data': 'unmeasured',
  error: 'unmeasured',
}

/** One side's points, gaps and errors, oldest first, and what is not a point yet. */
interface Seen {
  readonly name: string
  readonly points: Measurement[]
  pool: Pool | null
}

export class WatchedComparison {
  readonly #rule: LooksRule
  readonly #canary: Seen = { name: 'canary', points: [], pool: null }
  readonly #other: Seen
  #errorsInARow = 0
  /** The side that had no data in the last measurement. */
  #silent: string | null = null
  #failed: Sight | null = null
  #early: Sight
  #earlyLooks = 0
  /** Set by the look at the end. */
  #end: { readonly sight: Sight; readonly looks: number; readonly points: number } | null = null

  constructor(rule: LooksRule) {
    this.#rule = rule
    this.#other = { name: `${rule.other} side`, points: [], pool: null }
    this.#early = { verdict: 'inconclusive', reason: `${rule.measure} has not been compared yet` }
  }

  /** The last measurement was an error. */
  get isDisturbed(): boolean {
    return this.#errorsInARow > 0
  }

  /** Points of the canary. */
  get points(): number {
    return valuesOf(this.#canary.points).length
  }

  /** What it means for a score that it is not measured, if it is not. */
  get gap(): Gap {
    return this.#failed === null ? GAPS[this.#rule.noData] : 'bad'
  }

  /** Takes what was measured at the same time on both sides; null: nobody is there to compare with. */
  take(canary: Measurement, other: Measurement | null): void {
    if (this.#failed !== null) return
    const sides = [
      [this.#canary, canary],
      [this.#other, other ?? { at: canary.at, value: null }],
    ] as const
    const taken = sides.map(([side, measurement]) => this.#takeSide(side, measurement))
    const error = taken.find(({ kind }) => kind === 'error')
    this.#errorsInARow = error === undefined ? 0 : this.#errorsInARow + 1
    this.#silent = taken.find(({ kind }) => kind === 'no-data')?.side ?? null
    if (error?.kind === 'error' && this.#errorsInARow > this.#rule.consecutiveErrorLimit)
      this.#fail(`${this.#of(error.side)} could not be measured: ${error.error}, ${this.#inARow()}`)
    else if (this.#silent !== null && this.#rule.noData === 'fail')
      this.#fail(`${this.#of(this.#silent)} has no data`)
    else this.#lookEarly(canary.at)
  }

  #inARow(): string {
    return `${countOf(this.#errorsInARow, 'time')} in a row`
  }

  #fail(reason: string): void {
    this.#failed = { verdict: this.#rule.counts === true ? 'unmeasured' : 'fail', reason }
  }

  #of(side: string): string {
    return `${this.#rule.measure} of the ${side}`
  }

  #takeSide(side: Seen, measurement: Measurement) {
    const { minRequests } = this.#rule
    const reading = readingOf(measurement)
    const told = { ...reading, side: side.name }
    if (reading.kind !== 'value' || minRequests === 0) {
      side.points.push(measurement)
      return told
    }
    const { at, requests } = measurement
    if (requests === undefined) {
      const error = 'it does not say how many requests it rests on'
      side.points.push({ at, value: null, error })
      return { kind: 'error', error, side: side.name } as const
    }
    const pool = poolWith(side.pool, measurement, reading.value)
    const isEnough = pool.requests >= minRequests
    side.pool = isEnough ? null : pool
    if (isEnough) side.points.push({ at, value: pool.weighted / pool.requests, requests: pool.requests })
    return told
  }

  #lookEarly(at: number): void {
    const { started, duration } = this.#rule
    const all = EARLY.looks + 1
    const look = Math.floor(((at - started) * all) / Math.max(1, duration))
    if (this.#rule.counts === true || this.#end !== null || look <= this.#earlyLooks || look >= all) return
    this.#earlyLooks = look
    this.#early = this.#compared(EARLY)
  }

  /**
   * Its time is over, and so much of the time that it may still wait, from 0 to 1. The first call looks at the end; later
   * ones look again where there are new points, a few times in all (LO1).
   */
  close(waited: number): void {
    if (this.#failed !== null) return
    const points = valuesOf(this.#canary.points).length + valuesOf(this.#other.points).length
    if (this.#end === null) {
      this.#end = { sight: this.#comparedAtEnd(), looks: 0, points }
      return
    }
    const looks = Math.floor(waited * LATE.looks)
    if (looks <= this.#end.looks || points === this.#end.points) return
    const sight = this.#compared(LATE)
    const isKept = this.#end.sight.verdict === 'pass' && sight.verdict !== 'fail'
    this.#end = { sight: isKept ? this.#end.sight : sight, looks, points }
  }

  #comparedAtEnd(): Sight {
    return this.#compared(this.#rule.counts === true ? ONLY_END : END)
  }

  #compared({ looks, share }: { readonly looks: number; readonly share: number }): Sight {
    const doubt = ((1 - this.#rule.confidence) * share) / looks
    const rule = { ...this.#rule, confidence: 1 - doubt }
    const { verdict, reason } = compareSeries(rule, {
      canary: this.#canary.points,
      baseline: this.#other.points,
    })
    const thin = [this.#canary, this.#other].find(
      ({ points, pool }) => pool !== null && valuesOf(points).length === 0,
    )
    if (thin?.pool == null) return { verdict: VERDICTS[verdict], reason }
    const rests = `${this.#of(thin.name)} rests on ${countOf(thin.pool.requests, 'request')}`
    return { verdict: 'inconclusive', reason: `${rests}, and ${rule.minRequests} are asked for` }
  }

  /** Whether it can be told before its time is over. */
  isDecided(): boolean {
    const { verdict } = this.sight('so far')
    return verdict === 'pass' || verdict === 'fail'
  }

  /** `so far`: what its looks have found. `ended`: what it has come to, or would if it ended now. */
  sight(at: 'so far' | 'ended'): Sight {
    if (this.#failed !== null) return this.#failed
    if (this.#end === null && (at === 'so far' || this.#early.verdict === 'fail')) return this.#early
    return this.#held(this.#end?.sight ?? this.#comparedAtEnd())
  }

  /** Whether it is surely better than the other side, by however little; where either way is worse, nobody is. */
  isBetter(): boolean {
    const { direction, confidence } = this.#rule
    if (direction === 'either') return false
    const rule: ComparisonRule = {
      ...this.#rule,
      direction: direction === 'increase' ? 'decrease' : 'increase',
      effect: 0,
      floor: 0,
      // Asked once, and with the doubt of the look that may have ended it.
      confidence: 1 - ((1 - confidence) * EARLY.share) / EARLY.looks,
    }
    const { verdict } = compareSeries(rule, { canary: this.#canary.points, baseline: this.#other.points })
    return VERDICTS[verdict] === 'fail'
  }

  /** Who waits for data does not pass before they come. */
  #held(sight: Sight): Sight {
    const { noData } = this.#rule
    if (sight.verdict !== 'pass' || this.#silent === null || noData !== 'hold') return sight
    const after = `after ${countOf(this.points, 'point')} that had`
    return {
      verdict: 'unmeasured',
      reason: `${this.#of(this.#silent)} had no data when its time was over, ${after}`,
    }
  }
}
