/**
 * Drives one case of a storm through all that happens to its runners, until the run has ended.
 *
 * Role: starts, kills, tears, fills, and answers as a person would who looks before answering. Boundary: judges how a
 * runner ended, and nothing of what it did.
 *
 *  1. A runner that nobody killed ends with an exit code that says what it came to, and says the same as the record.
 *  2. What is said of a step of which nobody knows is the truth, read off what it left behind.
 */
import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { exitCodeOf } from '../../runner/execute.ts'
import { encodeGroup, START, scan } from '../../runner/journal/frame.ts'
import type { RunEvent } from '../../src/run/events.ts'
import type { Exit, Running, TestProject } from '../rig/project.ts'
import type { SmallDisk } from './small-disk.ts'
import type { StormCase, Trouble } from './weather.ts'

/** What a storm counts while it goes on. */
export interface Tally {
  kills: number
  resumes: number
  refusals: number
  torn: number
}

/** Something is not as it has to be: not a count of effects, but a run that does not end or a runner that lies. */
export class Amiss extends Error {}

export interface Driven {
  readonly run: string
  readonly events: readonly RunEvent[]
}

/** More than any case needs: its troubles are at most seven, and each may ask for a word or two. */
const LAUNCHES = 60

export interface Drive {
  readonly project: TestProject
  readonly kase: StormCase
  readonly disk: SmallDisk | null
  readonly tally: Tally
}

/** Starts the case's run and resumes it until it has ended. @throws Amiss */
export async function driveToItsEnd(drive: Drive): Promise<Driven> {
  for (let nth = 0; nth < LAUNCHES; nth += 1) {
    const trouble = drive.kase.troubles[nth] ?? { kind: 'none' }
    const run = runOf(drive.project)
    const events = run === undefined ? [] : await drive.project.events(run)
    if (run !== undefined) drive.tally.resumes += 1
    const exits = await launch(
      drive,
      run === undefined ? ['run'] : ['resume', run, ...answers(drive, events)],
      trouble,
    )
    const ended = await look(drive, exits, trouble)
    if (ended !== null) return ended
  }
  throw new Amiss(`it did not end in ${LAUNCHES} launches`)
}

function runOf(project: TestProject): string | undefined {
  const runs = project.runs()
  if (runs.length > 1) throw new Amiss(`one run was asked for and ${runs.length} were made`)
  return runs[0]
}

/** `--skip` for what was done and `--rerun` for what was not. */
function answers({ project }: Drive, events: readonly RunEvent[]): readonly string[] {
  const uncertain = new Set<string>()
  for (const event of events) {
    if (event.type === 'node-uncertain') uncertain.add(event.node)
    else if ('node' in event) uncertain.delete(event.node)
  }
  return [...uncertain].flatMap(node => {
    const name = node.split('/').at(-1)!
    const done = project.lines('effects.log').some(line => line.startsWith(`did ${name} `))
    return done ? ['--skip', `${name}="done"`] : ['--rerun', name]
  })
}

// ── one runner ──────────────────────────────────────────────────────────────────────────────────

async function launch(
  { project, disk, tally }: Drive,
  args: readonly string[],
  trouble: Trouble,
): Promise<readonly Exit[]> {
  switch (trouble.kind) {
    case 'none':
      return [await project.release(args)]
    case 'point':
      return [await project.release(args, { fault: trouble.point })]
    case 'time': {
      const running = project.start(args)
      const timer = setTimeout(() => running.kill('SIGKILL'), trouble.milliseconds)
      return [await running.exit.finally(() => clearTimeout(timer))]
    }
    case 'records': {
      const exit = await killWhenGrown(project, project.start(args), trouble)
      if (trouble.tear !== null && exit.signal === 'SIGKILL') tally.torn += tear(project, trouble.tear)
      return [exit]
    }
    case 'twice': {
      const first = project.start(args)
      // Two that begin would be two runs.
      const second = args[0] === 'run' ? [] : [project.release(args)]
      return Promise.all([killWhenGrown(project, first, { bytes: trouble.bytes, later: 0 }), ...second])
    }
    case 'full':
      disk?.fill(trouble.pages)
      return [await project.release(args).finally(() => disk?.empty())]
  }
}

async function killWhenGrown(
  project: TestProject,
  running: Running,
  { bytes, later }: { readonly bytes: number; readonly later: number },
): Promise<Exit> {
  const goal = sizeOfJournal(project) + bytes
  let over = false
  const exit = running.exit.finally(() => {
    over = true
  })
  while (!over && sizeOfJournal(project) < goal) await pause(2)
  if (!over) await pause(later)
  running.kill('SIGKILL')
  return exit
}

const journalOf = (project: TestProject): string | null => {
  const run = project.runs()[0]
  return run === undefined ? null : join(project.folderOf(run), 'journal.jsonl')
}

const sizeOfJournal = (project: TestProject): number => {
  const path = journalOf(project)
  return path === null ? 0 : (statSync(path, { throwIfNoEntry: false })?.size ?? 0)
}

/** Leaves the beginning of an append behind, as a crash of the machine would. Returns how many it left: 0 or 1. */
function tear(project: TestProject, share: number): number {
  const path = journalOf(project)
  if (path === null || !existsSync(path)) return 0
  const { position, reached, ending } = scan(readFileSync(path), START)
  // What the kill itself cut off is torn enough.
  if (ending.kind !== 'clean' || position.offset !== reached.offset) return 0
  const stop = { type: 'stop-asked', at: Date.now(), by: 'cancel', who: 'nobody' } as const
  const { text } = encodeGroup(position, { events: [stop, stop] })
  // Without its last line feed alone the group would count.
  appendFileSync(path, text.slice(0, 1 + Math.floor(share * (text.length - 2))))
  return 1
}

// ── how it ended ────────────────────────────────────────────────────────────────────────────────

async function look(
  { project, tally }: Drive,
  exits: readonly Exit[],
  trouble: Trouble,
): Promise<Driven | null> {
  const run = runOf(project)
  const events = run === undefined ? [] : await project.events(run)
  const last = events.at(-1)
  const outcome = last?.type === 'run-finished' ? last.outcome : null
  for (const exit of exits) {
    if (exit.signal === 'SIGKILL') tally.kills += 1
    else assertHonest(exit, trouble, outcome === null ? null : exitCodeOf({ type: 'finished', outcome }))
    if (exit.code === 4) tally.refusals += 1
  }
  return outcome === null ? null : { run: run!, events }
}

/** A bundle that could not be kept is missed by the run that is made of it. */
const FULL = /ENOSPC|takes no more bytes|ENOENT: [^\n]*copyfile '[^']*\/bundles\//

/** Refusals come only where there is a reason for them; an end is on record, and left is what can be gone on with. */
function assertHonest({ code, signal, stderr }: Exit, trouble: Trouble, ended: number | null): void {
  const said = `exit ${code ?? signal}: ${stderr.trim().slice(-600)}`
  const words = code === 4 || code === 2 ? /error\[([a-z-]+)\]/.exec(stderr)?.[1] : null
  if (code === 4 && trouble.kind === 'full' && FULL.test(stderr)) return
  if (code === 4 && trouble.kind === 'twice' && words !== undefined) return
  if (code === 2 && trouble.kind === 'twice' && ['nothing-to-resume', 'not-uncertain'].includes(words ?? ''))
    return
  if (code === 3 && (ended === null || trouble.kind === 'twice')) return
  if (code !== null && [0, 1, 5].includes(code) && code === ended) return
  throw new Amiss(`after ${JSON.stringify(trouble)}, with ${ended ?? 'no end'} on record, ${said}`)
}
