/**
 * Where runs are kept.
 *
 *     <state>/.gitignore                 holds `*`: nothing of this belongs into the repository
 *     <state>/runs/<run>/meta.json       what it is a run of
 *                        plan.json       the plan that it began with, exactly as compiled
 *                        bundle.js[.map] the code that its steps come from
 *                        journal.jsonl   what happened (frame.ts)
 *                        lock.N.json     who ran it (run-lock.ts)
 *                        inbox/          people's signals (inbox.ts)
 *                        logs/           what each node printed
 *
 * Role: names, makes and finds run folders. Boundary: reads no journal and runs nothing.
 *
 *  S1. A folder is a run if and only if its journal is there, which comes last when a run is made: what a
 *      crash has left half made is nobody's run.
 *  S2. What a run began with is never changed by it.
 */
import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, copyFile, mkdir, open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InputError, StateError } from '../../src/errors.ts'
import type { Sha256 } from '../../src/plan/plan.ts'
import { syncFolder, writeFileDurably } from './durable-file.ts'
import { createJournal } from './journal-file.ts'
import { onState } from './on-state.ts'

/** What a run is of: enough for `list`, without its plan or journal. */
export interface RunMeta {
  readonly format: 1
  readonly run: string
  readonly release: string
  readonly version: string
  readonly plan: Sha256
  /** sha256 of plan.json as it was written, so that a reader need not work the plan's own hash out; left out by an older version. */
  readonly planText?: Sha256
  readonly bundle: Sha256
  readonly who: string
  /** The project's folder and the definition's file, absolute: where its commands run, and what it was made from. */
  readonly root: string
  readonly definition: string
  /** Only these stages run, and what guards them; null, or left out by an older version: all. */
  readonly only?: readonly string[] | null
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** The paths of one run, absolute if `state` was. */
export interface RunFolder {
  readonly id: string
  readonly path: string
  readonly plan: string
  readonly bundle: string
  readonly bundleMap: string
  readonly journal: string
  readonly inbox: string
  readonly logs: string
  /** The file that a node's output goes to. */
  logOf(node: string): string
}

export interface NewRun {
  readonly release: string
  readonly version: string
  readonly who: string
  readonly root: string
  readonly definition: string
  readonly only?: readonly string[] | null
  readonly plan: { readonly hash: Sha256; readonly text: string }
  /** The bundle to copy; `map` where there is one. */
  readonly bundle: { readonly hash: Sha256; readonly path: string; readonly map?: string }
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Makes a run's folder, durably, with an empty journal. @throws StateError `state-unusable` */
export const createRun = (state: string, run: NewRun): Promise<RunFolder> =>
  onState(state, () => makeRun(state, run))

async function makeRun(state: string, run: NewRun): Promise<RunFolder> {
  await prepareState(state)
  const folder = await claimFolder(state, run)
  await Promise.all([mkdir(folder.inbox), mkdir(folder.logs)])
  await Promise.all([
    writeFileDurably(folder.plan, run.plan.text),
    copyDurably(run.bundle.path, folder.bundle),
    run.bundle.map === undefined ? null : copyDurably(run.bundle.map, folder.bundleMap),
    writeFileDurably(join(folder.path, 'meta.json'), `${JSON.stringify(metaOf(folder.id, run), null, 2)}\n`),
  ])
  await createJournal(folder.journal, folder.id)
  await syncFolder(join(state, 'runs'))
  return folder
}

/** Makes the state's folder, which keeps itself out of git. */
export async function prepareState(state: string): Promise<void> {
  await mkdir(join(state, 'runs'), { recursive: true })
  const ignore = join(state, '.gitignore')
  if (!(await exists(ignore))) await writeFileDurably(ignore, '*\n')
}

/**
 * `phoenix-3.0.0-20261121-101530-1a2b`: readable, one order with the time (UTC) within a release's version,
 * and unlike any other by its end. `random` is at least two bytes.
 */
export function newRunId(of: {
  readonly release: string
  readonly version: string
  readonly at: number
  readonly random?: Uint8Array
}): string {
  const [day = '', time = ''] = new Date(of.at).toISOString().replace(/[-:]/g, '').slice(0, 15).split('T')
  const end = Buffer.from(of.random ?? randomBytes(2))
    .toString('hex')
    .slice(0, 4)
  return [of.release, of.version, day, time, end].map(plain).join('-')
}

/** Nothing that means something to a file system or a shell. */
const plain = (part: string): string =>
  part
    .toLowerCase()
    .replace(/[^a-z0-9.+-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 80)

/** All runs, oldest first. */
export async function listRuns(state: string): Promise<readonly (RunFolder & { readonly meta: RunMeta })[]> {
  const names = await runNames(state)
  const folders = names.map(name => folderOf(state, name))
  const real = await Promise.all(folders.map(folder => exists(folder.journal)))
  const runs = folders.filter((_, index) => real[index])
  const all = await Promise.all(runs.map(async folder => ({ ...folder, meta: await readMeta(folder) })))
  return all.sort((a, b) => a.meta.createdAt - b.meta.createdAt || (a.id < b.id ? -1 : 1))
}

/**
 * Finds a run by its id or the beginning of it; undefined or `latest`: the newest.
 * Throws InputError `no-run`, `ambiguous-run`.
 */
export async function openRun(state: string, run: string | undefined): Promise<RunFolder> {
  if (run === undefined || run === 'latest') return latestRun(state)
  const names: string[] = []
  for (const name of await runNames(state)) {
    if (name.startsWith(run) && (await exists(folderOf(state, name).journal))) names.push(name)
  }
  const found = names.includes(run) ? [run] : names
  if (found.length === 1) return folderOf(state, found[0]!)
  throw found.length === 0 ? noRun(state, run) : ambiguous(run, found)
}

/** What a run is of. @throws StateError `meta-unreadable`, `state-unusable` */
export async function readMeta(folder: RunFolder): Promise<RunMeta> {
  const path = join(folder.path, 'meta.json')
  const text = await onState(path, () => readFile(path, 'utf8'))
  const meta = asObject(text) as Partial<RunMeta> | null
  if (meta === null) throw unreadableMeta(path, 'it holds no JSON object')
  if (meta.format !== 1) throw unreadableMeta(path, `its format is ${JSON.stringify(meta.format)}, and not 1`)
  const wrong = META_TEXTS.find(field => typeof meta[field] !== 'string')
  if (wrong !== undefined) throw unreadableMeta(path, `its ${wrong} is missing`)
  return meta as RunMeta
}

const META_TEXTS = ['run', 'release', 'version', 'plan', 'bundle', 'who', 'root', 'definition'] as const

function asObject(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' ? value : null
  } catch {
    return null
  }
}

/**
 * A node's key as a file name: lower-case letters, digits, `-`, `_` and `.` stay, `/` becomes `~`, all else is
 * `%` and two digits. Different keys have different names, also where case does not count; a name that
 * would be too long ends in the key's hash.
 */
export function fileNameOf(node: string): string {
  const name = Buffer.from(node)
    .toString('latin1')
    .replace(/[^a-z0-9_.~/-]|^\.|~/g, char => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replaceAll('/', '~')
  if (name.length <= 180) return name
  // `%%` is found in no name that is written out.
  return `${name.slice(0, 110)}%%${createHash('sha256').update(node).digest('hex')}`
}

/** Where a plan that was adopted later is kept, with its bundle: beside what the run began with (S2). */
export function adoptedFolder(
  folder: RunFolder,
  plan: Sha256,
): Pick<RunFolder, 'path' | 'plan' | 'bundle' | 'bundleMap'> {
  const path = join(folder.path, 'adopted', plan)
  return {
    path,
    plan: join(path, 'plan.json'),
    bundle: join(path, 'bundle.js'),
    bundleMap: join(path, 'bundle.js.map'),
  }
}

async function claimFolder(state: string, run: NewRun): Promise<RunFolder> {
  for (;;) {
    const folder = folderOf(state, newRunId(run))
    try {
      await mkdir(folder.path)
      return folder
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

function folderOf(state: string, id: string): RunFolder {
  const path = join(state, 'runs', id)
  const logs = join(path, 'logs')
  return {
    id,
    path,
    plan: join(path, 'plan.json'),
    bundle: join(path, 'bundle.js'),
    bundleMap: join(path, 'bundle.js.map'),
    journal: join(path, 'journal.jsonl'),
    inbox: join(path, 'inbox'),
    logs,
    logOf: node => join(logs, `${fileNameOf(node)}.log`),
  }
}

const metaOf = (id: string, run: NewRun): RunMeta => ({
  format: 1,
  run: id,
  release: run.release,
  version: run.version,
  plan: run.plan.hash,
  planText: createHash('sha256').update(run.plan.text).digest('hex'),
  bundle: run.bundle.hash,
  who: run.who,
  root: run.root,
  definition: run.definition,
  only: run.only ?? null,
  createdAt: run.at,
})

async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  const file = await open(to, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

async function latestRun(state: string): Promise<RunFolder> {
  const latest = (await listRuns(state)).at(-1)
  if (latest === undefined) throw noRun(state, undefined)
  return latest
}

const runNames = (state: string): Promise<readonly string[]> => onState(state, () => namesOfRuns(state))

async function namesOfRuns(state: string): Promise<readonly string[]> {
  try {
    return (await readdir(join(state, 'runs'))).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

const noRun = (state: string, run: string | undefined): InputError =>
  new InputError([
    {
      code: 'no-run',
      severity: 'error',
      message:
        run === undefined ? `There is no run in ${state}.` : `There is no run in ${state} called ${run}.`,
      hint: 'See `release list`, or begin one with `release run`. `--state` says where runs are kept.',
    },
  ])

const ambiguous = (run: string, found: readonly string[]): InputError =>
  new InputError([
    {
      code: 'ambiguous-run',
      severity: 'error',
      message: `${run} is the beginning of ${found.length} runs: ${found.slice(0, 5).join(', ')}${found.length > 5 ? ', …' : ''}.`,
      hint: 'Write more of it.',
    },
  ])

const unreadableMeta = (path: string, why: string): StateError =>
  new StateError('meta-unreadable', `${path} cannot be read as a run's description: ${why}.`, {
    hint: 'Restore it from a copy, or move the folder out of the way.',
  })
