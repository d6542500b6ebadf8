/**
 * Phoenix from nothing, as `npm run phoenix` shows it: 2.9.0 goes live, customers come, and 3.0.0 is released under them.
 *
 *     npm run phoenix
 *     npm run phoenix -- --param fault=payment-service     # the new payment-service never gets well
 *     npm run phoenix -- --param fault=order-service --param fault-in=production     # and staging does not show it
 *
 * Everything after `--` is handed to the release of 3.0.0. It only calls what a team would call by hand: `release run`,
 * `release approve`, `release resume`. It ends with the exit code of the release, or 1 where a customer was let down.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { meetPeople, type Person } from './people.ts'

const here = import.meta.dirname
const root = resolve(here, '../..')
const cli = join(root, 'dist', 'release.js')
const definition = relative(root, join(here, '..', 'phoenix.ts'))
const script = (name: string): string => join(here, 'scripts', `${name}.js`)

/** `release` left the run waiting for people. */
const WAITING = 3

interface Summary {
  readonly seconds: number
  readonly requests: number
  readonly journeys: number
  readonly lost: number
  readonly wrong: number
  readonly problems: readonly string[]
  readonly versions: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly milliseconds: { readonly p50: number; readonly p95: number; readonly p99: number }
}

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

/** Runs the release; where it leaves for people to approve, they do, and it is gone on with. */
const runRelease = async (
  args: readonly string[],
  people: readonly Person[],
): Promise<{ code: number; run: string }> => {
  const left = await callRelease(['run', definition, '--yes', '--wait', '0s', ...args])
  if (left.code !== WAITING) return left
  headline(`${people.length} people read the plan and approve it`)
  await approve(left.run, people)
  const { code } = await callRelease(['resume', left.run, '--wait', '1m'])
  return { code, run: left.run }
}

const productionGateway = async (): Promise<string> => {
  const child = spawn(process.execPath, [script('release-record'), 'show'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const record = JSON.parse(await text(child.stdout)) as { gateway: string } | null
  if (record === null) throw new Error('no release is on record, though one has just been made')
  return record.gateway
}

/** Does the work while customers walk through the shop; resolves to its result and to what they saw. */
const underCustomers = async <T>(gateway: string, work: () => Promise<T>): Promise<[T, Summary]> => {
  const args = [script('client'), gateway, '--seconds', '600', '--rate', '2']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const printed = text(child.stdout)
  const result = await work().finally(() => child.kill('SIGTERM'))
  return [result, JSON.parse(await printed) as Summary]
}

const liveVersions = async (gateway: string, components: readonly string[]): Promise<readonly string[]> =>
  Promise.all(
    components.map(async component => {
      const answer = await fetch(`${gateway}/${component}/health`)
      return ((await answer.json()) as { version: string }).version
    }),
  )

const answersOf = (byVersion: Readonly<Record<string, number>>): string =>
  Object.entries(byVersion)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([version, count]) => `${count} by ${version}`)
    .join(', ')

const tell = (seen: Summary, live: readonly string[]): void => {
  const { p50, p95, p99 } = seen.milliseconds
  headline('what the customers saw')
  for (const [index, [component, byVersion]] of Object.entries(seen.versions).entries())
    say(`  ${component.padEnd(21)} now ${live[index]}   answers: ${answersOf(byVersion)}`)
  say(`\n  ${seen.journeys} customers in ${seen.seconds} s sent ${seen.requests} requests`)
  say(
    `  lost: ${seen.lost}   wrong: ${seen.wrong}   answer times: p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms`,
  )
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

const releaseUnderCustomers = async (args: readonly string[], people: readonly Person[]): Promise<number> => {
  const gateway = await productionGateway()
  headline(`3.0.0 is released, and customers keep coming to ${gateway}`)
  const [released, seen] = await underCustomers(gateway, () => runRelease(args, people))
  tell(seen, await liveVersions(gateway, Object.keys(seen.versions)))
  tellMore(released.run)
  return seen.lost + seen.wrong > 0 ? released.code || 1 : released.code
}

const main = async (args: readonly string[]): Promise<number> => {
  if (!existsSync(cli)) throw new Error(`${relativeTo(cli)} is missing: run npm run build first`)
  const people = await meetPeople()
  headline('2.9.0 goes live first')
  const first = await runRelease(['--param', 'version=2.9.0'], people)
  return first.code === 0 ? releaseUnderCustomers(args, people) : first.code
}

// Ctrl-C goes to the release as well, which leaves a run that resumes; its exit code is ours.
process.on('SIGINT', () => {})
process.exitCode = await main(process.argv.slice(2))
