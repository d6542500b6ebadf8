/**
 * The coverage gate: runs the tests, then reads the figure from the report that they left.
 *
 *  CG1. A report counts only if this very run of the command wrote it: one that lay there before and was not
 *       touched, or that says of itself to be older than the command, is refused. Else a gate would pass on the
 *       figure of last week, on the day on which the reporter broke.
 *  CG2. A command that fails fails the gate, whatever the report says.
 */
import { readFile, stat } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import type { PlanCheck } from '../../../src/plan/plan.ts'
import { coverageSummary, isEnough, readCoverage } from '../../../src/run/coverage.ts'
import { commandFailure, nameOf, runCheck } from './command-gate.ts'
import { failed, type GateContext, type GateResult } from './verdict.ts'

type CoverageCheck = Extract<PlanCheck, { kind: 'coverage' }>

/** Where test runners leave their reports, in the order in which they are read. */
const usualPlaces = [
  'coverage/coverage-summary.json',
  'coverage-summary.json',
  'coverage/lcov.info',
  'lcov.info',
  'coverage/cobertura-coverage.xml',
  'cobertura-coverage.xml',
  'coverage/cobertura.xml',
  'coverage/coverage.xml',
  'cobertura.xml',
  'coverage.xml',
] as const

/** File systems keep time more coarsely than clocks tell it, by 2 s at worst. */
const coarseness = 2000

/** Runs the check's command and judges the report. */
export async function performCoverage(check: CoverageCheck, context: GateContext): Promise<GateResult> {
  const folder = resolve(context.root, check.command.cwd)
  const places = (check.report === null ? usualPlaces : [check.report]).map(place => resolve(folder, place))
  const before = await Promise.all(places.map(identify))
  const began = Date.now()
  const result = await runCheck(check.command, context)
  const failure = commandFailure(check.command, result)
  if (failure !== null) return failure
  const found = await Promise.all(places.map(async (path, i) => judgeFile(path, before[i]!, began)))
  return judge(check, found, place => relative(context.root, place) || place)
}

/** What a file is, as far as the file system knows; null: there is none. */
interface Identity {
  readonly key: string
  /** Milliseconds since 1970. */
  readonly written: number
}

async function identify(path: string): Promise<Identity | null> {
  const info = await stat(path, { bigint: true }).catch(() => null)
  if (info === null || !info.isFile()) return null
  const key = [info.dev, info.ino, info.size, info.mtimeNs, info.ctimeNs].join(':')
  return { key, written: Number(info.mtimeMs) }
}

interface Found {
  readonly path: string
  readonly state: 'fresh' | 'stale' | 'absent'
}

async function judgeFile(path: string, before: Identity | null, began: number): Promise<Found> {
  const now = await identify(path)
  if (now === null) return { path, state: 'absent' }
  const stale = now.key === before?.key || now.written < began - coarseness
  return { path, state: stale ? 'stale' : 'fresh' }
}

async function judge(
  check: CoverageCheck,
  found: readonly Found[],
  show: (path: string) => string,
): Promise<GateResult> {
  const reasons: string[] = []
  for (const { path } of found.filter(file => file.state === 'fresh')) {
    const figure = readCoverage(await readFile(path, 'utf8'), check.metric)
    if (figure.ok) return verdict(check, figure.percent)
    reasons.push(`${show(path)} ${figure.reason}`)
  }
  if (reasons.length > 0) return unreadable(check, reasons)
  const stale = found.find(file => file.state === 'stale')
  return stale === undefined ? missing(check) : old(check, show(stale.path))
}

function verdict({ metric, atLeast }: CoverageCheck, percent: number): GateResult {
  const summary = coverageSummary(percent, metric, atLeast)
  if (isEnough(percent, atLeast)) return { passed: true, summary }
  return failed({ code: 'coverage-low', message: summary, hint: `Cover more ${metric} with tests.` })
}

const unreadable = (check: CoverageCheck, reasons: readonly string[]): GateResult =>
  failed({
    code: 'coverage-unreadable',
    message: `no coverage of ${check.metric} can be read: ${reasons.join('; ')}`,
    hint: `Have "${nameOf(check.command)}" leave a whole report that tells ${check.metric}; json-summary does.`,
  })

const old = (check: CoverageCheck, path: string): GateResult =>
  failed({
    code: 'coverage-missing',
    message: `"${nameOf(check.command)}" left no coverage report: ${path} is older than the command`,
    hint: 'An earlier run wrote that report, so its figure does not count. Look whether the command still reports coverage, and remove the file.',
  })

const missing = (check: CoverageCheck): GateResult =>
  failed({
    code: 'coverage-missing',
    message:
      check.report === null
        ? `"${nameOf(check.command)}" left no coverage report in any of the usual places`
        : `"${nameOf(check.command)}" left no coverage report at ${check.report}`,
    hint:
      check.report === null
        ? `Have it write ${usualPlaces[0]} (reporter json-summary), coverage/lcov.info or coverage/cobertura-coverage.xml, or name the file with coverage(…, { report }).`
        : 'Correct `report`; it is relative to the folder of the command.',
  })
