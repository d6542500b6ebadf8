/**
 * Starts programs through a small process that forks for the runner.
 *
 * Role: the runner's half of fork-server.pl, which says the frames. Boundary: knows a start and its ending; signals go
 * straight from here to the command's group, so that an abort never queues behind output.
 *
 *       starting ──ready──▶ ready ──the server's process has ended──▶ gone
 *           └──it cannot run here──▶ gone
 *
 *  FO1. Nothing is asked of a server before it is ready, nor after it has gone: whoever would ask starts programs itself.
 *  FO2. When the server goes, what it has started is ended, and each command that had not ended is cut off: it neither
 *       failed nor passed.
 *  FO3. The server's own environment and arguments hold no variable of the runner's: what commands are given comes to it
 *       through a pipe.
 *  FO4. A server keeps the runner's process alive only while something runs.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { getSystemErrorMessage, getSystemErrorName } from 'node:util'
import { ReleaseError } from '../../../src/errors.ts'
import {
  fileOfRecord,
  forgetChild,
  forgetToken,
  restOfRecord,
  starterTokenOf,
  tokenOf,
  unrecordable,
} from './children.ts'
import type { Ending, Start } from './launch.ts'
import { endProcesses, tokenVariable } from './process-group.ts'
import { createReader, encodeFrame, entriesOf, fits, type Said } from './server-frames.ts'
import { signalName } from './signal-name.ts'
import { type ChildrenOptions, endLeftoversOf, patienceWithPipes } from './supervise.ts'

/** Part of the base system nearly everywhere, and the only interpreter that is both that and able to make sessions. */
const interpreter = '/usr/bin/perl'

/** `select` and the limit on open files both end somewhere; beyond this, programs are started directly. */
const mostAtOnce = 200

export interface ForkServer {
  /** Its pid. */
  readonly pid: number | undefined
  /** Settles once it is known whether it can be used. */
  readonly ready: Promise<boolean>
  /** Whether it can be asked for this one now (FO1). */
  takes(start: Start): boolean
  launch(start: Start): Promise<Ending>
  /** Lets it go. What it has started runs on, and is not seen to any more. */
  close(): void
}

/** A start that says where its command is put on record. */
type RecordedStart = Start & { readonly children: ChildrenOptions }

/** A command from its start to its ending. */
interface Running {
  readonly id: number
  readonly start: RecordedStart
  readonly token: string
  readonly resolve: (ending: Ending) => void
  readonly reject: (error: unknown) => void
  readonly onAbort: () => void
  pid: number | null
  /** Why it could not be put on record, where it could not. */
  unrecorded: Error | null
  exit: { readonly status: number; readonly left: boolean } | null
  /** All that it printed is here. */
  closed: boolean
  /** Its group is being ended, or has been. */
  ending: 'under-way' | 'done' | null
  timer: NodeJS.Timeout | null
}

/** Starts a server for the commands of a run; null where this machine has not what it needs. */
export function startForkServer(
  run: string,
  options: { readonly interpreter?: string } = {},
): ForkServer | null {
  const script = scriptFile()
  const program = options.interpreter ?? interpreter
  return script !== null && existsSync(program) ? new Server(run, program, script) : null
}

/** Beside this module in the source tree, and beside the bundle that it goes into in a built package. */
function scriptFile(): string | null {
  const file = fileURLToPath(new URL('./fork-server.pl', import.meta.url))
  return existsSync(file) ? file : null
}

class Server implements ForkServer {
  readonly ready: Promise<boolean>
  readonly #run: string
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #running = new Map<number, Running>()
  #state: 'starting' | 'ready' | 'gone' = 'starting'
  #settleReady: (ready: boolean) => void = () => {}
  #base: Start['base'] | null = null
  #last = 0
  #corked = false

  constructor(run: string, program: string, script: string) {
    this.#run = run
    this.ready = new Promise(resolve => {
      this.#settleReady = resolve
    })
    this.#child = spawn(program, [script], {
      cwd: '/',
      env: { [tokenVariable]: starterTokenOf(run) },
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    this.#child.stdout.on(
      'data',
      createReader(said => this.#hear(said)),
    )
    this.#child.once('error', () => this.#gone()).once('close', () => this.#gone())
    this.#child.stdin.on('error', () => this.#child.kill('SIGKILL'))
    this.#child.unref()
    this.#keepAlive(false)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  takes({ argv, cwd, env, children, node }: Start): boolean {
    if (this.#state !== 'ready' || children === null || this.#running.size >= mostAtOnce) return false
    return fits([...argv, cwd, children.dir, node ?? '', ...entriesOf(env)])
  }

  launch(start: Start): Promise<Ending> {
    const { children, node, signal } = start
    if (children === null || this.#state !== 'ready') {
      return Promise.reject(new TypeError('the fork server was asked for what it does not take'))
    }
    const { promise, resolve, reject } = Promise.withResolvers<Ending>()
    const id = ++this.#last
    const running: Running = {
      id,
      start: { ...start, children },
      token: tokenOf(children.run, node ?? ''),
      resolve,
      reject,
      onAbort: () => this.#abort(running),
      pid: null,
      unrecorded: null,
      exit: null,
      closed: false,
      ending: null,
      timer: null,
    }
    this.#running.set(id, running)
    if (this.#running.size === 1) this.#keepAlive(true)
    signal.addEventListener('abort', running.onAbort, { once: true })
    this.#ask(running)
    return promise
  }

  close(): void {
    this.#child.stdin.end()
  }

  #ask({ id, start, token }: Running): void {
    const { argv, base, env, cwd, children } = start
    if (base !== this.#base) this.#write(encodeFrame('B', 0, entriesOf(base)))
    this.#base = base
    const changes = [...changesOf(env), `${tokenVariable}=${token}`]
    const fields = [cwd, children.dir, restOfRecord(token), String(changes.length), ...changes, ...argv]
    this.#write(encodeFrame('S', id, fields))
  }

  /** What is asked in one turn goes as one. */
  #write(frame: Buffer): void {
    const { stdin } = this.#child
    if (!this.#corked) {
      this.#corked = true
      stdin.cork()
      process.nextTick(() => {
        this.#corked = false
        stdin.uncork()
      })
    }
    stdin.write(frame)
  }

  #hear({ type, id, bytes }: Said): void {
    if (type === 'R') {
      this.#state = 'ready'
      this.#settleReady(true)
      return
    }
    const running = this.#running.get(id)
    if (running === undefined) return
    switch (type) {
      case 'P':
        running.pid = bytes.readUInt32BE(0)
        if (running.start.signal.aborted) this.#abort(running)
        return
      case 'O':
      case 'E':
        running.timer?.refresh()
        if (type === 'O') running.start.stdout(bytes)
        else running.start.stderr(bytes)
        return
      case 'U':
        running.unrecorded = systemError(bytes.readUInt32BE(0))
        this.#abort(running)
        return
      case 'F':
        this.#notStarted(running, systemError(bytes.readUInt32BE(0)))
        return
      case 'X':
        running.exit = { status: bytes.readUInt32BE(0), left: bytes[5] === 1 }
        running.closed = bytes[4] === 1
        this.#exited(running, running.exit.left)
        return
      case 'C':
        running.closed = true
        this.#finish(running)
        return
    }
  }

  #notStarted(running: Running, cause: NodeJS.ErrnoException): void {
    this.#settle(running, () => running.resolve({ kind: 'not-started', cause }))
  }

  /** A start that has not been answered yet is aborted as soon as its pid is known. */
  #abort(running: Running): void {
    const { pid, token, start } = running
    if (pid === null || running.ending !== null) return
    this.#end(running, endProcesses({ groups: [pid], tokens: [token] }, start.grace))
  }

  #exited(running: Running, left: boolean): void {
    if (left && running.ending === null) {
      this.#end(running, endLeftoversOf(running.pid!, running.start.grace))
    }
    if (!running.closed) running.timer = setTimeout(() => this.#drop(running), patienceWithPipes)
    this.#finish(running)
  }

  /** Somebody outside the group holds a pipe open, and says nothing. */
  #drop(running: Running): void {
    this.#write(encodeFrame('D', running.id, []))
    running.closed = true
    this.#finish(running)
  }

  /** Settles a command that has exited, has handed over what it printed, and has left nothing running. */
  #finish(running: Running): void {
    if (running.exit === null || !running.closed || !this.#running.has(running.id)) return
    const { exit, ending, start } = running
    if (ending === 'under-way') return
    if (ending === 'done') forgetChild(start.children.dir, running.pid!)
    const failure = unrecordedOf(running)
    this.#settle(running, () =>
      failure === null ? running.resolve(endingOf(exit.status)) : running.reject(failure),
    )
  }

  #end(running: Running, ended: Promise<readonly number[]>): void {
    running.ending = 'under-way'
    const fail = (error: unknown): void => this.#settle(running, () => running.reject(error))
    ended.then(alive => {
      running.ending = 'done'
      if (alive.length > 0) fail(notEnded(alive))
      else this.#finish(running)
    }, fail)
  }

  #settle(running: Running, tell: () => void): void {
    if (!this.#running.delete(running.id)) return
    if (running.timer !== null) clearTimeout(running.timer)
    running.start.signal.removeEventListener('abort', running.onAbort)
    if (this.#running.size === 0) this.#keepAlive(false)
    tell()
  }

  #gone(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#settleReady(false)
    if (this.#running.size > 0) void this.#cutOff([...this.#running.values()])
  }

  /** What it had forked, and had not begun yet, carries the server's own token still. */
  async #cutOff(cut: readonly Running[]): Promise<void> {
    const groups = cut.flatMap(({ pid, exit }) => (pid === null || exit !== null ? [] : [pid]))
    const tokens = [starterTokenOf(this.#run), ...cut.map(({ token }) => token)]
    const grace = Math.max(...cut.map(({ start }) => start.grace))
    const alive = await endProcesses({ groups, tokens }, grace)
    for (const running of cut) {
      const { dir } = running.start.children
      if (alive.length === 0) forgetToken(dir, running.token)
      this.#settle(running, () => running.reject(cutOff(running)))
    }
  }

  #keepAlive(needed: boolean): void {
    const { stdin, stdout } = this.#child as unknown as Record<
      'stdin' | 'stdout',
      { ref(): void; unref(): void }
    >
    for (const pipe of [stdin, stdout]) needed ? pipe.ref() : pipe.unref()
  }
}

const changesOf = (env: Start['env']): readonly string[] =>
  Object.entries(env).map(([key, value]) => (value === undefined ? key : `${key}=${value}`))

/** What `wait` said. */
const endingOf = (status: number): Ending => {
  const signal = status & 0x7f
  return signal === 0
    ? { kind: 'ended', exitCode: status >> 8, signal: null }
    : { kind: 'ended', exitCode: null, signal: signalName(signal) }
}

function systemError(errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno)
  return Object.assign(new Error(`${code}: ${getSystemErrorMessage(-errno)}`), { code, errno: -errno })
}

const notEnded = (alive: readonly number[]): Error =>
  new Error(`processes ${alive.join(', ')} are still there in spite of SIGKILL`)

const unrecordedOf = ({ unrecorded, start, pid }: Running): Error | null =>
  unrecorded === null ? null : unrecordable(fileOfRecord(start.children.dir, pid!), unrecorded)

const cutOff = ({ start }: Running): ReleaseError =>
  new ReleaseError(
    'command-cut-off',
    `the command "${start.argv[0]}" was cut off: the process that starts commands for the runner ended before it, and the command was ended too`,
    { hint: 'Look whether the machine ran out of memory. What it had done by then is not known.' },
  )
