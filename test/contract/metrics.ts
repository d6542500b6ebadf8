/**
 * The contract of the port `Metrics`: every provider of measurements passes it.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Measurement } from '../../src/judge/measurement.ts'
import type { Meter } from '../../src/run/ports.ts'
import { until } from '../rig/wait.ts'

export interface OpenOptions {
  /** How long a reading may take, in milliseconds. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

/** A source of one measure that a test can make say anything. */
export interface Source {
  open(options?: OpenOptions): Promise<Meter>
  /** Has the next reading come to this; null: there is nothing to measure. */
  show(value: number | null): Promise<void>
  /** Answers no more. */
  break(): Promise<void>
  /** Answers again. */
  mend(): Promise<void>
  /** Takes requests and never answers. Ended by `mend`. */
  hang(): Promise<void>
  dispose(): Promise<void>
}

/** A source that counts: its measure is the share of errors. */
export interface CountingSource extends Source {
  /** Counts these requests, and waits until the source says so. */
  count(more: { readonly requests: number; readonly errors: number }): Promise<void>
  /** All its counters are 0 again. */
  setBack(): void
}

export interface ContractOptions {
  readonly name: string
  /** Why it cannot be tested here. */
  readonly missing?: string | null
  /** What all sources of the provider share: a server, perhaps. */
  readonly prepare?: () => Promise<void>
  readonly finish?: () => Promise<void>
  readonly make: () => Promise<Source>
  /** For a provider that counts. */
  readonly makeCounting?: () => Promise<CountingSource>
}

const never = new AbortController().signal
const read = (meter: Meter): Promise<Measurement> => meter.read(never)

/** Applies the contract to a provider. */
export function metricsContract(options: ContractOptions): void {
  describe(`${options.name} keeps the contract of measurements`, () => {
    beforeEach(({ skip }) => skip((options.missing ?? null) !== null, options.missing ?? ''))
    beforeAll(async () => {
      if ((options.missing ?? null) === null) await options.prepare?.()
    })
    afterAll(async () => {
      if ((options.missing ?? null) === null) await options.finish?.()
    })
    noDataCases(options.make)
    errorCases(options.make)
    if (options.makeCounting !== undefined) countingCases(options.makeCounting)
  })
}

/** Makes a source for each test and ends it afterwards. */
function eachSource<S extends Source>(make: () => Promise<S>): () => S {
  let source: S | undefined
  beforeEach(async () => {
    source = await make()
  })
  afterEach(async () => {
    await source?.dispose()
    source = undefined
  })
  return () => source!
}

function noDataCases(make: () => Promise<Source>): void {
  describe('M1: no data is null', () => {
    const source = eachSource(make)

    test('where there is nothing to measure', async () => {
      await source().show(null)
      const measured = await read(await source().open())
      expect(measured).toMatchObject({ value: null })
      expect(measured.error).toBeUndefined()
      expect(measured.requests ?? 0).toBe(0)
    })

    test('and 0 is data', async () => {
      const meter = await source().open()
      await source().show(0)
      const measured = await read(meter)
      expect(measured).toMatchObject({ value: 0 })
      expect(measured.requests).not.toBe(0)
    })

    test('and not the last value again', async () => {
      const meter = await source().open()
      await source().show(0.25)
      expect(await read(meter)).toMatchObject({ value: 0.25 })
      await source().show(null)
      const measured = await read(meter)
      expect(measured).toMatchObject({ value: null })
      expect(measured.error).toBeUndefined()
    })
  })

  describe('a reading', () => {
    const source = eachSource(make)

    test('has the time at which it was taken, and the times do not go back', async () => {
      const before = Date.now()
      const meter = await source().open()
      const [first, second] = [await read(meter), await read(meter)]
      expect(first.at).toBeGreaterThanOrEqual(before)
      expect(second.at).toBeGreaterThanOrEqual(first.at)
      expect(second.at).toBeLessThanOrEqual(Date.now())
    })

    test('rejects for an abort, before it and during it', async () => {
      const meter = await source().open()
      await expect(meter.read(AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' })
      await source().hang()
      const abort = new AbortController()
      const reading = meter.read(abort.signal)
      abort.abort()
      await expect(reading).rejects.toMatchObject({ code: 'cancelled' })
      await expect(source().open({ signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: 'cancelled',
      })
    })
  })
}

function errorCases(make: () => Promise<Source>): void {
  describe('M2: a source that does not answer is an error', () => {
    const source = eachSource(make)

    test('until it answers again', async () => {
      const meter = await source().open()
      await source().show(0.25)
      expect(await read(meter)).toMatchObject({ value: 0.25 })
      await source().break()
      const broken = await read(meter)
      expect(broken).toMatchObject({ value: null, error: expect.stringMatching(/\S/) })
      await source().mend()
      await source().show(0.5)
      expect(await read(meter)).toMatchObject({ value: 0.5 })
    })

    test('that the readings say and not the opening', async () => {
      await source().show(0.25)
      await source().break()
      const meter = await source().open()
      expect(await read(meter)).toMatchObject({ value: null, error: expect.stringMatching(/\S/) })
      await source().mend()
    })

    test('also where it takes requests and never answers', async () => {
      const meter = await source().open({ timeout: 200 })
      await source().hang()
      expect(await read(meter)).toMatchObject({ value: null, error: 'there was no answer within 200 ms' })
      await source().mend()
    })
  })
}

function countingCases(make: () => Promise<CountingSource>): void {
  describe('M3: what is counted', () => {
    const source = eachSource(make)

    /** Counts the same again and again until it is measured. */
    const measuring = (meter: Meter, more: { requests: number; errors: number }): Promise<Measurement> =>
      until('there is a measurement', async () => {
        await source().count(more)
        const measured = await read(meter)
        return measured.value !== null && measured.requests !== 0 && measured
      })

    test('before the meter was opened does not count', async () => {
      await source().count({ requests: 1000, errors: 1000 })
      const measured = await measuring(await source().open(), { requests: 10, errors: 0 })
      expect(measured).toMatchObject({ value: 0 })
    })

    test('counts from 0 when the counters were set back', async () => {
      await source().count({ requests: 1_000_000, errors: 0 })
      const meter = await source().open()
      source().setBack()
      const measured = await measuring(meter, { requests: 10, errors: 10 })
      expect(measured).toMatchObject({ value: 1 })
    })
  })
}
