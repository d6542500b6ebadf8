/**
 * What is unusual under a guard: told once, and again only after it was usual.
 */
import { type Anomaly, driftIn, outlierIn } from '../../src/judge/anomaly.ts'
import type { PlanAnomalies } from '../../src/plan/plan.ts'
import type { Unstamped } from './lines.ts'
import type { Readings } from './readings.ts'

/** Trends change slowly: they are looked for in every so-manieth round. */
const DRIFT_ROUNDS = 10

export class Unusual {
  readonly #told = new Set<string>()

  /** What is new of what is unusual in this round. */
  newIn(round: number, anomalies: PlanAnomalies | null, all: readonly Readings[]): readonly Unstamped[] {
    if (anomalies === null) return []
    return all.flatMap(readings => {
      const { environment, component } = readings.target
      return readings.watched().flatMap(({ reading, points }) => {
        const { name: measure, unit } = reading
        const rule = { measure, unit, ...anomalies }
        const key = `${environment}/${component}/${measure}`
        const found = this.#isNew(`${key} outlier`, outlierIn(rule, points))
        if (round % DRIFT_ROUNDS === 0) {
          const direction = worseOf(reading.measure.kind)
          found.push(...this.#isNew(`${key} drift`, driftIn({ ...rule, direction }, points)))
        }
        return found.map(one => ({ type: 'guard-anomaly' as const, environment, component, measure, ...one }))
      })
    })
  }

  #isNew(key: string, anomaly: Anomaly | null): Anomaly[] {
    if (anomaly === null) {
      this.#told.delete(key)
      return []
    }
    if (this.#told.has(key)) return []
    this.#told.add(key)
    return [anomaly]
  }
}

const worseOf = (kind: string): 'increase' | 'decrease' =>
  kind === 'availability' || kind === 'throughput' ? 'decrease' : 'increase'
