/**
 * A storm: real runners on made-up releases, killed and killed again, for as long as one likes.
 *
 *     npm run storm -- --minutes 10 [--seed N] [--case N] [--keep]
 *
 * Each case has a number, from the seed on; `--case N` plays one again. What is drawn by lot is the same each time:
 * the release, what fails in it, at which points its runners die. When exactly a kill from outside strikes is the
 * machine's affair, so that such a case may need a few tries.
 *
 * Exit 0 where every run ended and nothing was repeated or lost; 1 otherwise, with the case and how to play it again.
 */
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { tokenVariable } from '../../runner/adapters/commands/process-group.ts'
import { variableOf } from '../../runner/adapters/commands/processes.ts'
import { answerHere } from '../rig/here.ts'
import { createProject, type TestProject } from '../rig/project.ts'
import { componentsOf, filesOf } from './definition.ts'
import { Amiss, driveToItsEnd, type Tally } from './drive.ts'
import { judge } from './judge.ts'
import { canMount, mountSmallDisk, type SmallDisk } from './small-disk.ts'
import { type StormCase, stormCase } from './weather.ts'

export interface StormTotals extends Tally {
  /** Runs that ended and were judged. */
  runs: number
  /** Performances of effects, undone ones included. */
  effects: number
  repeated: number
  lost: number
  /** Cases in which anything was not as it has to be, one line for each finding. */
  readonly findings: string[]
}

export interface StormOptions {
  /** The number of the first case. */
  readonly seed: number
  /** Whether another case is to begin. */
  readonly goOn: (begun: number) => boolean
  /** Leaves the folders of cases with findings where they are. */
  readonly keep?: boolean
  /** Called with the totals so far as long as it goes on, each time something has changed. */
  readonly totals?: StormTotals
}

/** Cases that are played side by side. */
const LANES = 2

export const noTotals = (): StormTotals => ({
  runs: 0,
  kills: 0,
  resumes: 0,
  refusals: 0,
  torn: 0,
  effects: 0,
  repeated: 0,
  lost: 0,
  findings: [],
})

/** Plays cases until it is not to go on. `options.totals` is kept up to date meanwhile. */
export async function storm({
  seed,
  goOn,
  keep = false,
  totals = noTotals(),
}: StormOptions): Promise<StormTotals> {
  const disk = canMount()
  let begun = 0
  const lane = async (): Promise<void> => {
    while (goOn(begun)) {
      const number = seed + begun++
      await play(stormCase(number, { disk }), { keep, totals })
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return totals
}

async function play(
  kase: StormCase,
  { keep, totals }: { readonly keep: boolean; readonly totals: StormTotals },
): Promise<void> {
  const project = createProject({ files: {} })
  for (const [path, text] of Object.entries(filesOf(kase, realpathSync(project.root))))
    project.write(path, text)
  const full = kase.troubles.some(({ kind }) => kind === 'full')
  const disk = full ? mountSmallDisk(join(project.root, '.release')) : null
  const before = totals.findings.length
  try {
    await playIn(project, { kase, disk, totals })
  } catch (error) {
    totals.findings.push(
      `case ${kase.number}: ${error instanceof Amiss ? error.message : (error as Error).stack}`,
    )
  }
  if (keep && totals.findings.length > before) {
    totals.findings.push(`case ${kase.number} is kept in ${project.root}`)
    return
  }
  disk?.remove()
  await project.dispose()
}

async function playIn(
  project: TestProject,
  {
    kase,
    disk,
    totals,
  }: { readonly kase: StormCase; readonly disk: SmallDisk | null; readonly totals: StormTotals },
): Promise<void> {
  const driven = await driveToItsEnd({ project, kase, disk, tally: totals })
  const { effects, repeated, lost } = await judge(project, kase, driven)
  totals.runs += 1
  totals.effects += effects
  totals.repeated += repeated.length
  totals.lost += lost.length
  const deployed = componentsOf(kase).length > 0
  const amiss = [...repeated, ...lost, ...(await afterwards(project, { run: driven.run, deployed }))]
  for (const finding of amiss) totals.findings.push(`case ${kase.number}: ${finding}`)
}

/** The journal verifies, and nothing runs any more that is no instance or gateway. */
async function afterwards(
  project: TestProject,
  { run, deployed }: { readonly run: string; readonly deployed: boolean },
): Promise<readonly string[]> {
  const { code, stderr } = await answerHere(project.root, ['verify', run])
  const running = project.processes()
  const left = deployed ? running.filter(pid => variableOf(pid, tokenVariable) !== null) : running
  return [
    ...(code === 0 ? [] : [`verify ends with ${code}: ${stderr}`]),
    ...(left.length === 0 ? [] : [`${left.length} processes are left over`]),
  ]
}

// ── the command ─────────────────────────────────────────────────────────────────────────────────

export const summaryOf = (totals: StormTotals, seconds: number): string =>
  [
    `${totals.runs} runs in ${seconds.toFixed(0)} s`,
    `${totals.kills} kills`,
    `${totals.resumes} resumes`,
    `${totals.refusals} refusals`,
    `${totals.torn} torn ends`,
    `${totals.effects} effects`,
    `${totals.repeated} repeated`,
    `${totals.lost} lost`,
  ].join(', ')

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string' },
      case: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  })
  const minutes = Number(values.minutes)
  const seed = Number(values.case ?? values.seed ?? Date.now() % 1_000_000_000)
  if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
    process.stderr.write('storm: --minutes is a number above 0, --seed and --case are whole numbers\n')
    return 2
  }
  const totals = noTotals()
  const began = performance.now()
  const seconds = (): number => (performance.now() - began) / 1000
  let stopped = false
  process.once('SIGINT', () => {
    stopped = true
    process.stderr.write('\nstorm: no more cases; those under way come to their end\n')
  })
  const shown = setInterval(() => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[Kstorm ${seed}: ${summaryOf(totals, seconds())}`)
  }, 1_000)
  const goOn = (begun: number): boolean =>
    !stopped && (values.case === undefined ? seconds() < minutes * 60 : begun === 0)
  await storm({ seed, goOn, keep: values.keep, totals }).finally(() => clearInterval(shown))
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  for (const finding of totals.findings) process.stdout.write(`${finding}\n`)
  const again = new Set(totals.findings.map(finding => /^case (\d+)/.exec(finding)?.[1]))
  for (const number of again) process.stdout.write(`again: npm run storm -- --case ${number} --keep\n`)
  if (!canMount()) process.stdout.write('no disk was full: only root may mount a small one\n')
  process.stdout.write(`storm ${seed}: ${summaryOf(totals, seconds())}\n`)
  return totals.findings.length === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = await main()
