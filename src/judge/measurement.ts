/**
 * One look at one measure: what the judge reads.
 *
 * Boundary: JSON, as the journal keeps it. Whoever measures writes it; nothing here knows how it was measured.
 *
 *  ME1. `null` is no data, never zero. A query that failed says so in `error`, and its value is not looked at.
 *  ME2. A value that rests on no request is no data: of nothing, nothing is known.
 *  ME3. A value that is no finite number counts as an error: it can neither be judged nor written as JSON.
 */

/** What was measured at one moment. */
export interface Measurement {
  /** Milliseconds since 1970. */
  readonly at: number
  /** In the measure's unit; null: there was no data. */
  readonly value: number | null
  /** How many requests the value rests on, none of which another measurement counts; 0: no data. Left out: not known. */
  readonly requests?: number
  /** Why nothing could be measured. Never holds a secret's value. */
  readonly error?: string
  /** What the baseline measured at the same time, for a condition that compares with one; null: it had no data. */
  readonly baseline?: number | null
}

/** A measurement as the judge takes it. */
export type Reading =
  | { readonly kind: 'value'; readonly value: number }
  | { readonly kind: 'no-data' }
  | { readonly kind: 'error'; readonly error: string }

/** Tells a value from no data and from an error (ME1 to ME3). */
export function readingOf(measurement: Measurement): Reading {
  if (measurement.error !== undefined) return { kind: 'error', error: measurement.error }
  if (measurement.value === null || measurement.requests === 0) return { kind: 'no-data' }
  if (Number.isFinite(measurement.value)) return { kind: 'value', value: measurement.value }
  return { kind: 'error', error: `the value is ${measurement.value}, which is no finite number` }
}

/** The values alone, in the order measured. */
export const valuesOf = (measurements: readonly Measurement[]): number[] =>
  measurements.flatMap(measurement => {
    const reading = readingOf(measurement)
    return reading.kind === 'value' ? [reading.value] : []
  })
