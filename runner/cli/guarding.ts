/**
 * `release watch RUN --guard`: what the watch over a release stands on, and how it is shown.
 */
import { parseDuration } from '../../src/compile/units.ts'
import { InputError } from '../../src/errors.ts'
import { cutOffUntil, foldGuard, type GuardLine } from '../../src/run/guard-record.ts'
import type { Platform } from '../../src/run/ports.ts'
import { systemClock } from '../engine/clock.ts'
import { recover } from '../engine/mend.ts'
import type { World } from '../engine/world.ts'
import { takeEnvironments, takeRun, targetsOf } from '../execute.ts'
import { isHeld } from '../guard/acting.ts'
import { type GuardActs, type GuardOutcome, guardOf, runGuard } from '../guard/guard.ts'
import { openGuardFile, readGuards } from '../guard/guard-file.ts'
import { foreignAt, type Tending, tend } from '../guard/tending.ts'
import { holderOf, whoami } from '../identity.ts'
import { currentHolder } from '../journal/run-lock.ts'
import { loadRunDefinition } from '../load-run.ts'
import { openNodeLogs } from '../node-logs.ts'
import { type OpenedRun, openedRun } from '../open-run.ts'
import { guardText } from '../views/guard-lines.ts'
import { painterOf } from '../views/terminal-text.ts'
import { createWorld } from '../wire.ts'
import { type Invocation, wrong } from './command.ts'
import type { Io } from './io.ts'
import { rollBack } from './rolling-back.ts'

/** Watches to its end and returns the exit code: 0 where nothing had to be taken back. */
export async function guard(invocation: Invocation, io: Io, stateFolder: string): Promise<number> {
  const duration = readDuration(invocation)
  const opened = await openedRun(stateFolder, invocation.args[0])
  const { folder, plan, meta, state } = opened
  // Before anything is opened: a gateway that is asked for is started.
  if (state.phase === 'finished') guardOf(plan, state)
  const who = whoami(io.env, meta.root)
  const stopped = new AbortController()
  const listening = listenFor(() => stopped.abort())
  const world = await worldOf(opened, io)
  const again = (): Promise<OpenedRun> => openedRun(stateFolder, folder.id)
  try {
    const outcome = await runGuard({
      plan,
      read: async () => (await again()).state,
      holder: () => currentHolder(folder.path),
      observe: (environment, component) =>
        world
          .platform(environment)
          .observe(environment, component)
          .catch(() => null),
      metrics: world.metrics,
      acts: actsOf({ io, again, world, who, listening }),
      tell: teller(opened, io),
      who,
      now: Date.now,
      until: waitUntil,
      duration,
      cutOff: async () => cutOffUntil((await readGuards(folder)).map(foldGuard)),
      signal: stopped.signal,
    })
    return EXIT_CODES[outcome]
  } finally {
    listening.stop()
  }
}

interface Listening {
  /** Somebody else listens meanwhile. */
  leaveTo<T>(work: () => Promise<T>): Promise<T>
  stop(): void
}

/** Ctrl-C and its kin. */
function listenFor(stop: () => void): Listening {
  const start = (): void => void process.on('SIGINT', stop).on('SIGTERM', stop)
  const end = (): void => void process.off('SIGINT', stop).off('SIGTERM', stop)
  start()
  return {
    stop: end,
    async leaveTo(work) {
      end()
      try {
        return await work()
      } finally {
        start()
      }
    },
  }
}

/** unmeasured: nobody can say that it is well. gone: whoever took it back knows; the release does not stand, which is what whoever asked wants to be told. */
const EXIT_CODES: Readonly<Record<GuardOutcome, number>> = {
  quiet: 0,
  unmeasured: 1,
  'rolled-back': 1,
  'rollback-failed': 1,
  gone: 1,
  interrupted: 130,
}

/** Milliseconds; null: as the definition says. */
function readDuration(invocation: Invocation): number | null {
  const text = invocation.text('for')
  if (text === undefined) return null
  const millis = parseDuration(text)
  if (millis !== null && millis > 0) return millis
  throw new InputError([
    wrong('not-a-duration', `--for ${text}: that is no time`, 'Say how long, as in --for 2h.'),
  ])
}

/** Measures as a run does, and has no component's lock: nothing that it writes to an environment would be taken. */
async function worldOf(opened: OpenedRun, io: Io): Promise<World> {
  const { definition } = await loadRunDefinition(opened, { onChange: () => {}, quiet: true })
  return createWorld({
    plan: opened.plan,
    definition,
    folder: opened.folder,
    root: opened.meta.root,
    logs: openNodeLogs(opened.folder, () => {}),
    fences: new Map(),
    env: io.env,
  })
}

interface Acting {
  readonly io: Io
  readonly again: () => Promise<OpenedRun>
  readonly world: World
  readonly who: string
  /** While it takes something back, the engine listens for Ctrl-C. */
  readonly listening: Listening
}

function actsOf({ io, again, world, who, listening }: Acting): GuardActs {
  return {
    rollBack: breach =>
      listening.leaveTo(async () => {
        const opened = await again()
        const { rollback: strategy } = opened.plan
        const scope = { kind: 'all' } as const
        return (await rollBack(io, opened, { because: 'guard', scope, strategy, breach })) === 0
      }),
    decideTraffic: components =>
      listening.leaveTo(async () => {
        const opened = await again()
        const places = new Set(components)
        // A promotion that was cut off may have given the stable slots away already.
        const including = [...opened.state.works.values()]
          .filter(({ node, owed, status, rollback }) => {
            const isCutOff = owed && rollback === null && status.type !== 'succeeded'
            return isCutOff && node.operation.kind === 'promote' && places.has(node.component ?? '')
          })
          .map(({ key }) => key)
        await rollBack(io, opened, { because: 'guard', scope: { kind: 'traffic', components }, including })
      }),
    recover: patients =>
      withLocks({ again, world, who }, async ({ state, fences, before }) => {
        const platform = (environment: string): Platform => world.platform(environment)
        const mend: Tending['mend'] = (problems, expected) => mendAt(problems, expected, { world, fences })
        return tend(patients, { state, before, platform, mend })
      }),
    foreign: async target => foreignAt((await again()).state, target, name => world.platform(name)),
  }
}

async function mendAt(
  problems: Parameters<Tending['mend']>[0],
  expected: Parameters<Tending['mend']>[1],
  { world, fences }: { readonly world: World; readonly fences: ReadonlyMap<string, number> },
): ReturnType<Tending['mend']> {
  const { environment, component } = expected
  const applied = await recover(world.platform(environment), problems, {
    signal: new AbortController().signal,
    fence: fences.get(`${environment}/${component}`) ?? 0,
    log: world.log('guard').line,
    secret: name => world.secrets.read(name),
    expected,
  })
  return applied.map(each => ({ ...each, detail: world.secrets.scrub(each.detail) }))
}

interface Locked extends Pick<Tending, 'state' | 'before'> {
  readonly fences: ReadonlyMap<string, number>
}

/** null: the run, or an environment, is somebody else's just now, or the run stands no more. */
async function withLocks<T>(
  { again, world, who }: Pick<Acting, 'again' | 'world' | 'who'>,
  work: (locked: Locked) => Promise<T>,
): Promise<T | null> {
  const { folder, plan, meta } = await again()
  // Who holds a place is asked first: a lock that is taken and given back forgets who had it before.
  for (const { environment, component } of targetsOf(plan))
    if ((await world.platform(environment).owner?.(environment, component)) != null) return null
  const holder = holderOf(folder.id, who, meta.root)
  const releases: (() => Promise<void>)[] = []
  try {
    const lock = await takeRun(folder, holder)
    releases.push(lock.release)
    const { fences, locks, before } = await takeEnvironments(plan, holder)
    releases.push(...locks)
    const { state } = await again()
    return state.phase === 'finished' ? await work({ state, fences, before }) : null
  } catch (error) {
    if (isHeld(error)) return null
    throw error
  } finally {
    for (const release of releases.reverse()) await release().catch(() => {})
  }
}

/** Every line into the run's folder; with `--json` to stdout as well, otherwise as a line for people to stderr. */
function teller({ folder }: OpenedRun, io: Io): (line: GuardLine) => Promise<void> {
  const paint = painterOf({ color: io.color.stderr })
  let file: ReturnType<typeof openGuardFile> | null = null
  return async line => {
    file ??= openGuardFile(folder, line.at)
    await (await file).write(line)
    if (io.json) io.stdout.write(`${JSON.stringify(line)}\n`)
    else for (const text of guardText(line, paint)) io.stderr.write(`${text}\n`)
  }
}

/** Sleeps in pieces, so that a machine that was asleep is not late by what it slept. */
const LONGEST_NAP = 60_000

async function waitUntil(time: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && systemClock.now() < time) {
    await new Promise<void>(resolve => {
      const done = (): void => {
        cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = systemClock.after(Math.min(LONGEST_NAP, time - systemClock.now()), done)
      signal.addEventListener('abort', done, { once: true })
    })
  }
}
