/**
 * The command line on a disk that fails: its nth system call of a kind is answered with an error by the kernel.
 *
 * Role: strace's injection, made to repeat itself. Boundary: knows no definition and judges nothing.
 *
 *  1. One thread does all of Node's waiting file work, so that strace's count, which is kept for each thread,
 *     numbers the calls of a run alike each time.
 *  2. Only what is named fails: a kind of call, and where `paths` are given only calls that touch exactly these.
 *  3. What was made to fail is read off strace's own record, so that a case in which nothing failed shows.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { cli, type TestProject } from '../rig/project.ts'

/** Why the tests that need strace cannot run here; null where they can. */
export const straceMissing = (): string | null =>
  spawnSync('strace', ['-f', '-e', 'trace=none', 'true']).status === 0
    ? null
    : 'strace is not installed, or may not trace here (test/toolchain/install-debian.sh strace)'

/** What a disk says that is broken, and one that is full. */
export const ERRORS = ['EIO', 'ENOSPC'] as const
export type Errno = (typeof ERRORS)[number]

/** The nth call of a kind, counted in each thread. */
export interface Injection {
  readonly call: string
  readonly nth: number
  readonly error: Errno
}

export interface Traced {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** The calls that were answered with an error, as strace wrote them. */
  readonly injected: readonly string[]
  /** Calls of the kinds asked for, the most in any one thread. */
  readonly counts: Readonly<Record<string, number>>
  /** The calls of the kinds asked for that were about a file of the project's state. */
  readonly touches: readonly Touch[]
}

/** One system call about one file; of a call that copies, the file that is written. */
export interface Touch {
  readonly call: string
  readonly path: string
  /** Whether the main thread made it, and not the one that does Node's waiting file work. */
  readonly main: boolean
}

export interface TraceOptions {
  readonly env: Readonly<Record<string, string>>
  /** Kinds of calls that are recorded. */
  readonly calls: readonly string[]
  readonly inject?: Injection
  /** Only calls that touch exactly these are recorded, counted and made to fail. */
  readonly paths?: readonly string[]
}

let traces = 0

/** Runs the command line to its end under strace. */
export async function traced(
  project: TestProject,
  args: readonly string[],
  { env, calls, inject, paths = [] }: TraceOptions,
): Promise<Traced> {
  const record = join(project.root, `strace.${++traces}`)
  const child = spawn(
    'strace',
    [
      ...['-f', '--seccomp-bpf', '--signal=none', '-y', '-o', record],
      ...['-e', `trace=${calls.join(',')}`],
      ...(inject === undefined
        ? []
        : ['-e', `inject=${inject.call}:error=${inject.error}:when=${inject.nth}`]),
      ...paths.flatMap(path => ['-P', path]),
      ...[process.execPath, cli, ...args],
    ],
    {
      cwd: project.root,
      // The compile cache is Node's own affair, and its writes would be counted too.
      env: { ...env, UV_THREADPOOL_SIZE: '1', NODE_DISABLE_COMPILE_CACHE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const printed = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      printed[stream] += text
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  const lines = wholeCalls(readFileSync(record, 'utf8').split('\n'))
  rmSync(record)
  return {
    code,
    ...printed,
    injected: lines.filter(line => line.includes('(INJECTED)')),
    counts: countsOf(lines),
    touches: touchesOf(lines, join(project.root, '.release')),
  }
}

/**
 * The process in which the call failed. Two appends that come together share a write, and then there is one less: one
 * whom that befell was undisturbed, and is started again, three times at most.
 */
export async function untilInjected(meet: () => Promise<Traced>): Promise<Traced> {
  let failing = await meet()
  for (let left = 3; left > 0 && failing.injected.length === 0; left -= 1) {
    expect(failing.code, failing.stderr).toBe(0)
    failing = await meet()
  }
  return failing
}

/** A call that another thread interrupted is written in two lines: here it is one, where it began. */
function wholeCalls(lines: readonly string[]): readonly string[] {
  const whole: string[] = []
  const begun = new Map<string, number>()
  for (const line of lines) {
    const [, thread = '', resumed = ''] = /^(\d+)\s+(?:<\.\.\. \w+ resumed>)?(.*)$/.exec(line) ?? []
    const at = begun.get(thread)
    if (line.includes(' resumed>') && at !== undefined) {
      whole[at] = `${whole[at]}${resumed}`
      begun.delete(thread)
    } else if (line.endsWith(' <unfinished ...>')) {
      begun.set(thread, whole.push(line.slice(0, -' <unfinished ...>'.length)) - 1)
    } else whole.push(line)
  }
  return whole
}

function touchesOf(lines: readonly string[], state: string): readonly Touch[] {
  const first = /^\d+/.exec(lines[0] ?? '')?.[0]
  return lines.flatMap(line => {
    const [, thread, call] = /^(\d+)\s+(\w+)\(/.exec(line) ?? []
    const files = [...line.matchAll(/\d+<(\/[^>]*)>/g)].map(([, path]) => path!)
    const path = call === 'copy_file_range' ? files[1] : files[0]
    return call !== undefined && path?.startsWith(state) ? [{ call, path, main: thread === first }] : []
  })
}

function countsOf(lines: readonly string[]): Readonly<Record<string, number>> {
  const byThread = new Map<string, number>()
  for (const line of lines) {
    const [, thread, call] = /^(\d+)\s+(\w+)\(/.exec(line) ?? []
    if (call !== undefined) byThread.set(`${call} ${thread}`, (byThread.get(`${call} ${thread}`) ?? 0) + 1)
  }
  const counts: Record<string, number> = {}
  for (const [key, count] of byThread) {
    const call = key.split(' ')[0]!
    counts[call] = Math.max(counts[call] ?? 0, count)
  }
  return counts
}
