/**
 * Phoenix with customers: what is wrong with 3.0.0 shows in measurements alone, and only those who met the canary notice.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Phoenix, type Seen, startPhoenix } from '../rig/phoenix.ts'

/** Minutes on two quiet cores; a machine that is busy with other things has this long. */
const LONG = 900_000

/** Checks that nobody who had no part in the canary was let down. */
const expectUnharmed = ({ sides, problems }: Seen): void => {
  expect(problems).toEqual([])
  expect(sides.outside).toMatchObject({ errors: 0, lost: 0 })
  expect(sides.outside.requests).toBeGreaterThan(0)
}

interface Cause {
  readonly node: string
  readonly failure: { readonly code: string; readonly message: string }
}

interface Traffic {
  readonly kind: string
  readonly environment: string
  readonly component: string
  readonly canary: number
}

describe('the checkout in one region', () => {
  let phoenix: Phoenix
  beforeAll(async () => {
    phoenix = await startPhoenix('checkout')
  }, LONG)
  afterAll(() => phoenix?.dispose(), LONG)

  /** Releases 3.0.0 with that fault under customers. */
  const releaseFaulty = async (fault: string) => {
    const args = ['--only', 'production', '--param', `fault=${fault}`, '--param', 'fault-in=production']
    const { code, run, stderr, seen } = await phoenix.release(args, 240)
    expect(code, stderr).toBe(1)
    const { cause, traffic } = (await phoenix.report(run)) as unknown as { cause: Cause; traffic: Traffic[] }
    const shares = traffic.filter(({ kind }) => kind === 'shifted').map(({ canary }) => canary)
    return { seen: seen!, cause, most: Math.max(...shares) }
  }

  test('when nobody comes, nothing is measured, and nothing passes', { timeout: LONG }, async () => {
    const { code, run, stderr } = await phoenix.release(['--only', 'production'])
    expect(code, stderr).toBe(1)
    const { cause, traffic } = (await phoenix.report(run)) as unknown as { cause: Cause; traffic: Traffic[] }
    expect(cause.failure.code).toBe('analysis-unanswered')
    // Nobody is sent further than the first share.
    expect(Math.max(...traffic.map(({ canary }) => canary))).toBe(5)
    expect(await phoenix.versions()).toEqual(['stable 2.9.0'])
  })

  const cases = [
    { fault: 'slow', cause: /payment-service 3\.0\.0 .*latency p95/, from: 5 },
    { fault: 'errors-under-load', cause: /order-service 3\.0\.0 .*error rate/, from: 5 },
    { fault: 'leak', cause: /inventory-service 3\.0\.0 .*memory/, from: 5 },
    { fault: 'crash-at-half', cause: /user-service 3\.0\.0 .*(availability|error rate)/, from: 50 },
  ]
  for (const { fault, cause: expected, from } of cases)
    test(`${fault} is measured and taken back`, { timeout: LONG }, async () => {
      const { seen, cause, most } = await releaseFaulty(fault)
      expect(cause.failure.message).toMatch(expected)
      expect(most).toBeGreaterThanOrEqual(from)
      expect(await phoenix.versions()).toEqual(['stable 2.9.0'])
      expect(seen.sides.canary.requests).toBeGreaterThan(0)
      expectUnharmed(seen)
    })
})
