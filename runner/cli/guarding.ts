/**
 * `release watch RUN --guard`: what the watch over a release stands on, and how it is shown.
 */
import { parseDuration } from '../../src/compile/units.ts'
import { InputError, isReleaseError } from '../../src/errors.ts'
import type { GuardLine } from '../../src/run/guard-record.ts'
import type { Platform } from '../../src/run/ports.ts'
import { systemClock } from '../engine/clock.ts'
import { recover } from '../engine/mend.ts'
import type { World } from '../engine/world.ts'
import { takeEnvironments, takeRun } from '../execute.ts'
import { type GuardActs, type GuardOutcome, runGuard } from '../guard/guard.ts'
import { openGuardFile } from '../guard/guard-file.ts'
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
  const { folder, plan, meta } = opened
  const who = whoami(io.env, meta.root)
  const stopped = new AbortController()
  const stop = (): void => stopped.abort()
  process.on('SIGINT', stop).on('SIGTERM', stop)
  const release = (): void => void process.off('SIGINT', stop).off('SIGTERM', stop)
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
      acts: actsOf({ io, again, world, who, release }),
      tell: teller(opened, io),
      who,
      now: Date.now,
      until: waitUntil,
      duration,
      signal: stopped.signal,
    })
    return EXIT_CODES[outcome]
  } finally {
    release()
  }
}

/** gone: whoever took it back knows; the release does not stand, which is what whoever asked wants to be told. */
const EXIT_CODES: Readonly<Record<GuardOutcome, number>> = {
  quiet: 0,
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
  /** From here on the engine listens for Ctrl-C. */
  readonly release: () => void
}

function actsOf({ io, again, world, who, release }: Acting): GuardActs {
  return {
    async rollBack(breach) {
      release()
      const opened = await again()
      const { rollback: strategy } = opened.plan
      return (
        (await rollBack(io, opened, { because: 'guard', scope: { kind: 'all' }, strategy, breach })) === 0
      )
    },
    async decideTraffic(components) {
      release()
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
    },
    recover: (patients, _state) => withLocks({ again, who }, fences => mendAll(patients, { world, fences })),
  }
}

type Patients = Parameters<GuardActs['recover']>[0]

async function mendAll(
  patients: Patients,
  { world, fences }: { readonly world: World; readonly fences: ReadonlyMap<string, number> },
): ReturnType<GuardActs['recover']> {
  const log = world.log('guard')
  const applied = []
  for (const { expected, problems } of patients) {
    const { environment, component } = expected
    const platform: Platform = world.platform(environment)
    const context = {
      signal: new AbortController().signal,
      fence: fences.get(`${environment}/${component}`) ?? 0,
      log: log.line,
      secret: (name: string) => world.secrets.read(name),
      expected,
    }
    applied.push(...(await recover(platform, problems, context)))
  }
  return applied.map(each => ({ ...each, detail: world.secrets.scrub(each.detail) }))
}

/** null: the run, or an environment, is somebody else's just now. */
async function withLocks<T>(
  { again, who }: Pick<Acting, 'again' | 'who'>,
  work: (fences: ReadonlyMap<string, number>) => Promise<T>,
): Promise<T | null> {
  const { folder, plan, meta } = await again()
  const holder = holderOf(folder.id, who, meta.root)
  const releases: (() => Promise<void>)[] = []
  try {
    const lock = await takeRun(folder, holder)
    releases.push(lock.release)
    const { fences, locks } = await takeEnvironments(plan, holder)
    releases.push(...locks)
    return await work(fences)
  } catch (error) {
    if (isReleaseError(error) && HELD.includes(error.code)) return null
    throw error
  } finally {
    for (const release of releases.reverse()) await release().catch(() => {})
  }
}

const HELD: readonly string[] = ['run-held', 'environment-held', 'environment-taken-over']

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
