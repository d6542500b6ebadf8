/**
 * Phoenix in four regions and three waves: one box, the first wave, the rest.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Phoenix, startPhoenix } from '../rig/phoenix.ts'

/** Minutes on two quiet cores; a machine that is busy with other things has this long. */
const LONG = 900_000

let phoenix: Phoenix
beforeAll(async () => {
  phoenix = await startPhoenix('many')
}, LONG)
afterAll(() => phoenix?.dispose(), LONG)

interface Report {
  readonly cause: { readonly failure: { readonly code: string; readonly message: string } } | null
  readonly traffic: readonly {
    readonly kind: string
    readonly environment: string
    readonly canary: number
  }[]
}

const reportOf = async (run: string): Promise<Report> => (await phoenix.report(run)) as unknown as Report

/** The regions in which the new version had a share of the requests, in the order in which they first had one. */
const reached = ({ traffic }: Report): readonly string[] => [
  ...new Set(traffic.filter(({ canary }) => canary > 0).map(({ environment }) => environment)),
]

test('a breach in the first wave takes the one box back too, and the rest never begins', {
  timeout: LONG,
}, async () => {
  const args = ['--only', 'production', '--param', 'fault=slow']
  const { code, run, stderr, seen } = await phoenix.release(args, 400)
  expect(code, stderr).toBe(1)
  const report = await reportOf(run)
  expect(report.cause?.failure.message).toMatch(/payment-service 3\.0\.0 .*latency p95/)
  const [box, ...wave] = reached(report)
  expect(box).toBe('production.ap-southeast-1')
  expect(wave.toSorted()).toEqual(['production.eu-central-1', 'production.us-west-2'])
  expect(await phoenix.versions()).toEqual(['stable 2.9.0'])
  expect(seen?.problems).toEqual([])
  expect(seen?.sides.outside).toMatchObject({ errors: 0, lost: 0 })
})

// A minute and a half of two processors: played where there is time for it.
test.skipIf(process.env.RELEASE_LONG === undefined)(
  'a good version goes from one box through the first wave to the rest (RELEASE_LONG=1)',
  { timeout: LONG },
  async () => {
    const { code, run, stderr, seen } = await phoenix.release(['--only', 'production'], 400)
    expect(code, stderr).toBe(0)
    const [box, ...rest] = reached(await reportOf(run))
    expect(box).toBe('production.ap-southeast-1')
    expect(rest.at(-1)).toBe('production.us-east-1')
    expect(await phoenix.versions()).toEqual(['stable 3.0.0'])
    expect(seen?.problems).toEqual([])
    expect(seen?.sides).toMatchObject({ outside: { errors: 0, lost: 0 }, canary: { errors: 0, lost: 0 } })
  },
)
