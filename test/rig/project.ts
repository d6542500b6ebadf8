/**
 * A project of its own in a temporary folder, and the command line run in it as a team would run it.
 *
 * Role: whole-process tests start here. Boundary: knows no definition; whoever makes a project writes it.
 *
 *  1. The command line runs as `npm test` has just built it, or, in a test run by itself, from its sources.
 *  2. Nothing outside the project's folder is touched: it has its own state and its own home of the local platform.
 *  3. Whatever a project started has the folder's name in its environment, arguments or working folder. `dispose`
 *     stops what may still run, and throws where anything is left all the same.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { variableOf } from '../../runner/adapters/commands/processes.ts'
import { localStop } from '../../runner/adapters/platforms/local/stop.ts'
import { readJournal } from '../../runner/journal/read.ts'
import { routerKinds } from '../../runner/wire.ts'
import type { RunEvent, RunEventType } from '../../src/run/events.ts'
import { processesOf } from './processes.ts'

/** `npm test` has built it, and a start from the build costs half; a test run by itself takes the sources, so that no build can be stale. */
export const cli = resolve(
  import.meta.dirname,
  process.env.RELEASE_BUILT === undefined ? '../../runner/release.ts' : '../../dist/release.js',
)

export interface Exit {
  /** null where a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** The run that its first line named; '' where it named none. */
  readonly run: string
}

export interface ReleaseOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Dies by SIGKILL at this point: see runner/engine/faults.ts. */
  readonly fault?: string
  /** Working folder; the project's own if left out. */
  readonly cwd?: string
}

/** The command line while it runs. */
export interface Running {
  readonly pid: number
  /** What it has printed so far on both streams. */
  readonly printed: () => string
  readonly kill: (signal: NodeJS.Signals) => void
  readonly exit: Promise<Exit>
}

export type EventOf<Type extends RunEventType> = Extract<RunEvent, { type: Type }>

export interface TestProject {
  /** Its folder, absolute and without symlinks. */
  readonly root: string
  /** The local platform's home. */
  readonly home: string
  readonly release: (args: readonly string[], options?: ReleaseOptions) => Promise<Exit>
  readonly start: (args: readonly string[], options?: ReleaseOptions) => Running
  readonly write: (path: string, text: string) => void
  /** The file's text; '' where there is none. */
  readonly read: (path: string) => string
  readonly lines: (path: string) => readonly string[]
  /** Ids of its runs: those whose journal is there. */
  readonly runs: () => readonly string[]
  readonly folderOf: (run: string) => string
  readonly events: (run: string) => Promise<readonly RunEvent[]>
  readonly eventsOf: <Type extends RunEventType>(run: string, type: Type) => Promise<readonly EventOf<Type>[]>
  /** Pids of what it has started and has not ended, instances and gateways included. */
  readonly processes: () => readonly number[]
  /** Pids of what runs in the slots of its environments. */
  readonly instances: () => readonly number[]
  /** Ends all that runs and removes the folder. @throws Error where a process is left that nobody owns */
  readonly dispose: () => Promise<void>
}

export interface ProjectOptions {
  /** By path in the project's folder. */
  readonly files: Readonly<Record<string, string>>
  /** Another project's home, for two checkouts of one machine. */
  readonly home?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Makes a project; a package.json is written if the files hold none. */
export function createProject(options: ProjectOptions): TestProject {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'release-project-')))
  const home = options.home ?? join(root, 'home')
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const read = (path: string): string =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : ''
  write('package.json', '{ "name": "project", "type": "module" }\n')
  for (const [path, text] of Object.entries(options.files)) write(path, text)
  const running = new Set<Running>()
  const start = (args: readonly string[], more: ReleaseOptions = {}): Running => {
    const child = spawnRelease(args, {
      cwd: more.cwd ?? root,
      env: environment({ home, root }, options, more),
    })
    running.add(child)
    void child.exit.finally(() => running.delete(child))
    return child
  }
  const folderOf = (run: string): string => join(root, '.release', 'runs', run)
  const events = async (run: string) => (await readJournal(join(folderOf(run), 'journal.jsonl'))).events
  return {
    root,
    home,
    start,
    release: (args, more) => start(args, more).exit,
    write,
    read,
    lines: path => read(path).split('\n').filter(Boolean),
    runs: () =>
      namesIn(join(root, '.release', 'runs')).filter(run => existsSync(join(folderOf(run), 'journal.jsonl'))),
    folderOf,
    events,
    eventsOf: async (run, type) =>
      (await events(run)).filter((event): event is EventOf<typeof type> => event.type === type),
    processes: () => processesOf(root),
    instances: () => processesOf(root).filter(pid => variableOf(pid, 'RELEASE_SLOT') !== null),
    dispose: async () => {
      for (const child of running) child.kill('SIGKILL')
      await Promise.all([...running].map(child => child.exit))
      const routers = await routerKinds()
      await localStop(home, { owned: 'stop', routers, settings: { drainTimeout: 200, stopGrace: 500 } })
      const left = processesOf(root)
      for (const pid of left) process.kill(pid, 'SIGKILL')
      await rm(root, { recursive: true, force: true })
      if (left.length > 0) throw new Error(`the project in ${root} left processes behind: ${left.join(', ')}`)
    },
  }
}

/** What the tests' own environment says of runs and of git must not reach the project. */
function environment(
  { home, root }: { readonly home: string; readonly root: string },
  project: ProjectOptions,
  { env, fault }: ReleaseOptions,
): NodeJS.ProcessEnv {
  const { RELEASE_FAULT: _fault, VITEST: _vitest, NODE_OPTIONS: _options, ...rest } = process.env
  return {
    ...rest,
    NO_COLOR: '1',
    RELEASE_LOCAL_HOME: home,
    RELEASE_USER: 'alice@techcorp.example',
    TEST_PROJECT: root,
    ...project.env,
    ...env,
    ...(fault === undefined ? {} : { RELEASE_FAULT: fault }),
  }
}

function spawnRelease(
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Running {
  const child = spawn(process.execPath, [cli, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const printed = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      printed[stream] += text
    })
  }
  return {
    pid: child.pid!,
    printed: () => printed.stdout + printed.stderr,
    kill: signal => void child.kill(signal),
    exit: exitOf(child, printed),
  }
}

/** A command that a killed runner left behind may hold the pipes open: the runner's own end is what counts. */
async function exitOf(
  child: ChildProcess,
  printed: { readonly stdout: string; readonly stderr: string },
): Promise<Exit> {
  const closed = once(child, 'close')
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  if (signal !== 'SIGKILL') await closed
  child.stdout?.destroy()
  child.stderr?.destroy()
  const { stdout, stderr } = printed
  return { code, signal, stdout, stderr, run: /^run (\S+)$/m.exec(stdout)?.[1] ?? '' }
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : []
}
