/**
 * Phoenix from nothing, as `npm run phoenix` shows it: 2.9.0 goes live, customers come, and 3.0.0 is released under them.
 *
 *     npm run phoenix
 *     npm run phoenix -- --param fault=slow               # 3.0.0 of payment-service is slow: measured, and taken back
 *     npm run phoenix -- --param fault=payment-service    # it never gets well: staging stops it
 *     npm run phoenix -- --param regions=many             # four regions, in three waves
 *     npm run phoenix -- --no-traffic                     # nobody comes: what was not measured does not pass
 *
 * Everything else after `--` is handed to the release of 3.0.0, which goes at `pace=quick` unless it says otherwise. It only
 * calls what a team would call by hand: `release run`, `release approve`, `release resume`. It ends with the exit code of
 * the release, or 1 where a customer was let down who had no part in the canary.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { meetPeople, type Person } from './people.ts'
import { type ReportRead, verdictsOf } from './verdicts.ts'

const here = import.meta.dirname
const root = resolve(here, '../..')
/** The command line as it is built; a test names its sources. */
const cli = process.env.PHOENIX_RELEASE ?? join(root, 'dist', 'release.js')
const definition = relative(root, join(here, '..', 'phoenix.ts'))
const script = (name: string): string => join(here, 'scripts', `${name}.js`)

/** `release` left the run waiting for people. */
const WAITING = 3

interface Side {
  readonly requests: number
  readonly errors: number
  readonly lost: number
}

interface Summary {
  readonly seconds: number
  readonly requests: number
  readonly journeys: number
  readonly heldBack: number
  readonly versions: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Of requests in which a canary had a part, and of all others. */
  readonly sides: { readonly canary: Side; readonly outside: Side }
  readonly problems: readonly string[]
  readonly milliseconds: { readonly p50: number; readonly p95: number; readonly p99: number }
}

/** Of `release local status --json`, what is read here. */
interface LocalStatus {
  readonly environments: readonly {
    readonly environment: string
    readonly gateway: { readonly address: string } | null
    readonly components: readonly Running[]
  }[]
}

interface Running {
  readonly component: string
  readonly instances: readonly { readonly version: string }[]
}

interface Place {
  readonly name: string
  readonly gateway: string
  readonly running: readonly Running[]
}

/** Visits a second for each component in each place: some hundreds in all, which leave two cores with time to spare. */
const VISITS = 30

const say = (line: string): void => console.log(line)
const headline = (line: string): void => say(`\n── ${line} ${'─'.repeat(Math.max(0, 96 - line.length))}`)

const exitCodeOf = async (child: ChildProcess): Promise<number> => {
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 130
}

/** Calls `release`, in full view. Resolves to its exit code and the run's id, which its first line names. */
const callRelease = async (args: readonly string[]): Promise<{ code: number; run: string }> => {
  say(`$ release ${args.map(each => relativeTo(each)).join(' ')}`)
  const child = spawn(process.execPath, [cli, ...args], { cwd: root, stdio: ['inherit', 'pipe', 'inherit'] })
  let run = ''
  createInterface({ input: child.stdout! }).on('line', line => {
    run ||= /^run (\S+)$/.exec(line)?.[1] ?? ''
    say(line)
  })
  return { code: await exitCodeOf(child), run }
}

const relativeTo = (argument: string): string =>
  argument.startsWith(root) ? relative(root, argument) : argument

const approve = async (run: string, people: readonly Person[]): Promise<void> => {
  for (const { name, role, key } of people) {
    const { code } = await callRelease([
      'approve',
      run,
      'go-live',
      '--as',
      role,
      '--person',
      name,
      '--key',
      key,
    ])
    if (code !== 0) throw new Error(`the approval of ${name} did not count; the run is ${run}`)
  }
}

interface Ended {
  readonly code: number
  readonly run: string
}

/** Runs the release until it is over or waits for people. */
const begin = (args: readonly string[]): Promise<Ended> =>
  callRelease(['run', definition, '--yes', '--wait', '0s', ...args])

/** The people approve, and the run is gone on with to its end. */
const goLive = async ({ run }: Ended, people: readonly Person[]): Promise<Ended> => {
  headline(`${people.length} people read the plan and approve it`)
  await approve(run, people)
  const { code } = await callRelease(['resume', run, '--wait', '1m'])
  return { code, run }
}

/** Where production runs now, and which version of what, as `release local status` says; none: nothing runs yet. */
const productionPlaces = async (): Promise<readonly Place[]> => {
  const child = spawn(process.execPath, [cli, 'local', 'status', '--json'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const { environments } = JSON.parse(await text(child.stdout)) as LocalStatus
  return environments.flatMap(({ environment, gateway, components }) => {
    const running = components.filter(({ instances }) => instances.length > 0)
    const wanted = environment.split('.')[0] === 'production' && running.length > 0
    return wanted && gateway !== null ? [{ name: environment, gateway: gateway.address, running }] : []
  })
}

/** Does the work while customers come; resolves to its result and to what they saw. */
const underCustomers = async <T>(
  places: readonly Place[],
  work: () => Promise<T>,
): Promise<{ result: T; seen: Summary }> => {
  const gateways = places.map(({ gateway }) => gateway)
  const visits = VISITS * places.flatMap(({ running }) => running).length
  const args = [script('client'), ...gateways, '--seconds', '900', '--rate', String(visits)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const printed = text(child.stdout)
  const result = await work().finally(() => child.kill('SIGTERM'))
  return { result, seen: JSON.parse(await printed) as Summary }
}

/** By component, each version that runs in any place, once. */
const liveVersions = (places: readonly Place[]): ReadonlyMap<string, string> => {
  const live = new Map<string, Set<string>>()
  for (const { component, instances } of places.flatMap(({ running }) => running))
    for (const { version } of instances) live.set(component, (live.get(component) ?? new Set()).add(version))
  return new Map([...live].map(([component, versions]) => [component, [...versions].sort().join(' and ')]))
}

const answersOf = (byVersion: Readonly<Record<string, number>>): string =>
  Object.entries(byVersion)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([version, count]) => `${count} by ${version}`)
    .join(', ')

const sideLine = (who: string, { requests, errors, lost }: Side): string =>
  `  ${who.padEnd(34)} ${String(requests).padStart(6)} requests   ${errors} errors   ${lost} lost`

const tell = (seen: Summary, live: ReadonlyMap<string, string>): void => {
  const { p50, p95, p99 } = seen.milliseconds
  headline('what the customers saw')
  for (const [component, version] of live)
    say(`  ${component.padEnd(21)} now ${version}   answers: ${answersOf(seen.versions[component] ?? {})}`)
  say('')
  say(sideLine('with a canary among those who answered', seen.sides.canary))
  say(sideLine('everybody else', seen.sides.outside))
  say(
    `\n  ${seen.requests} requests in ${seen.seconds} s, ${seen.journeys} of them whole ways through the shop`,
  )
  say(`  answer times: p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms; ${seen.heldBack} visits held back`)
  for (const problem of seen.problems) say(`  ! ${problem}`)
}

const tellMore = (run: string): void => {
  headline('look further')
  say(`  npx release report ${run}       what happened, when, by whom, measured how`)
  say(`  npx release verify ${run}       that the journal is whole and every approval is signed`)
  say(`  npx release rollback ${run}     take it all back (--dry-run: only show what that would do)`)
  say('  npx release local status        what runs on this machine now')
  say('  npx release local stop          end all of it')
}

/** How the divided release went, from the run's own report: each share of the requests, and what was measured in it. */
const tellVerdicts = async (run: string): Promise<void> => {
  const child = spawn(process.execPath, [cli, 'report', run, '--format', 'json'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  headline('weights and verdicts')
  const report = JSON.parse(await text(child.stdout)) as ReportRead
  for (const line of verdictsOf(report)) say(line)
}

/** Goes live while customers come; resolves to the exit code, which is 1 where one was let down who met no canary. */
const goLiveUnderCustomers = async (left: Ended, people: readonly Person[]): Promise<number> => {
  const places = await productionPlaces()
  if (places.length === 0) throw new Error('nothing runs in production, though a release has just gone there')
  headline(`customers come to ${places.map(({ name, gateway }) => `${name} (${gateway})`).join(', ')}`)
  const { result, seen } = await underCustomers(places, () => goLive(left, people))
  await tellVerdicts(result.run)
  tell(seen, liveVersions(await productionPlaces()))
  tellMore(result.run)
  const { errors, lost } = seen.sides.outside
  return errors + lost > 0 ? result.code || 1 : result.code
}

/** Nothing reaches production before people have approved it: until then customers would only slow the gates down. */
const releaseNew = async ({ args, traffic }: Wanted, people: readonly Person[]): Promise<number> => {
  headline(`3.0.0 is released${traffic ? '' : ', and no customer comes'}`)
  const left = await begin(args)
  if (left.code === WAITING && traffic) return goLiveUnderCustomers(left, people)
  const { code, run } = left.code === WAITING ? await goLive(left, people) : left
  await tellVerdicts(run)
  tellMore(run)
  return code
}

interface Wanted {
  /** For the release of 3.0.0. */
  readonly args: readonly string[]
  /** For the release of 2.9.0: the same place and pace. */
  readonly first: readonly string[]
  readonly traffic: boolean
}

const wantedBy = (given: readonly string[]): Wanted => {
  const args = given.filter(each => each !== '--no-traffic')
  const said = (name: string): string | undefined => args.find(each => each.startsWith(`${name}=`))
  const pace = said('pace') ?? 'pace=quick'
  const shared = ['--param', pace, ...(said('regions') === undefined ? [] : ['--param', said('regions')!])]
  return {
    args: said('pace') === undefined ? ['--param', pace, ...args] : args,
    // Nobody comes before there is a shop: a bake would rightly find that nothing was measured.
    first: ['--param', 'version=2.9.0', ...shared, '--only', 'staging', '--only', 'production'],
    traffic: args.length === given.length,
  }
}

/** From nothing it needs nobody. Where a shop is open already its customers stay: without them nothing would be measured. */
const goLiveFirst = async (left: Ended, people: readonly Person[]): Promise<Ended> => {
  const places = await productionPlaces()
  const go = () => goLive(left, people)
  return places.length === 0 ? go() : (await underCustomers(places, go)).result
}

const main = async (given: readonly string[]): Promise<number> => {
  if (!existsSync(cli)) throw new Error(`${relativeTo(cli)} is missing: run npm run build first`)
  const wanted = wantedBy(given)
  const people = await meetPeople()
  headline('2.9.0 goes live first')
  const left = await begin(wanted.first)
  const { code } = left.code === WAITING ? await goLiveFirst(left, people) : left
  return code === 0 ? releaseNew(wanted, people) : code
}

// Ctrl-C goes to the release as well, which leaves a run that resumes; its exit code is ours.
process.on('SIGINT', () => {})
process.exitCode = await main(process.argv.slice(2))
