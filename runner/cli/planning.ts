/**
 * What every command that makes a plan takes, and what it asks for with it.
 */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Diagnostic } from '../../src/diagnostic.ts'
import { InputError } from '../../src/errors.ts'
import { DEFAULT_DEFINITION, findProject } from '../load/project.ts'
import type { Planned, PlanRequest } from '../plan-release.ts'
import { type Invocation, type Option, wrong } from './command.ts'
import type { Io } from './io.ts'

export const PLAN_OPTIONS: Readonly<Record<string, Option>> = {
  param: { value: 'NAME=VALUE', many: true, help: 'a value for one of the params' },
  concurrency: {
    value: 'N',
    help: 'how many effects may be in flight at once (what the definition says, else 8)',
  },
}

/** @throws InputError where there is no such definition, or a number is none */
export async function planRequest(invocation: Invocation, io: Io): Promise<PlanRequest> {
  const state = invocation.text('state')
  const concurrency = readCount(invocation, 'concurrency')
  const project = await findProject(invocation.args[0], {
    cwd: io.cwd,
    ...(state === undefined ? {} : { state }),
  })
  return { project, params: invocation.list('param'), concurrency }
}

/** Says on stderr what was found that does not stand in the way. */
export async function tellFindings(
  diagnostics: readonly Diagnostic[],
  request: PlanRequest,
  io: Io,
): Promise<void> {
  io.stderr.write(await findingsText(diagnostics, request, io))
}

export async function findingsText(
  diagnostics: readonly Diagnostic[],
  { project }: PlanRequest,
  io: Io,
): Promise<string> {
  if (diagnostics.length === 0) return ''
  const { renderDiagnostics } = await import('../load/code-frame.ts')
  return `${renderDiagnostics(diagnostics, { root: project.root, color: io.color.stderr })}\n\n`
}

/** A large one comes in pieces, so that it is never in memory as a whole. */
type Text = string | Iterable<string>

/** What a command has to say about a plan. */
export interface Said {
  readonly err?: string
  readonly out?: Text
  readonly file?: { readonly path: string; readonly text: Text }
  readonly code: number
  readonly request: PlanRequest
  readonly planned: Planned
}

/** Says it, and keeps it, so that the same question need not be worked out again. Returns the exit code. */
export async function answerWith(said: Said, invocation: Invocation, io: Io): Promise<number> {
  const { err = '', out = '', file = null, code, request, planned } = said
  if (err !== '') io.stderr.write(err)
  for (const piece of piecesOf(out)) if (!io.stdout.write(piece)) await drained(io.stdout)
  if (file !== null) await writeFile(file.path, piecesOf(file.text))
  const text = file === null ? out : file.text
  if (io.question !== undefined && io.question !== null && typeof text === 'string') {
    const { remember } = await import('../remembered/remember.ts')
    const { project } = request
    const named = resolve(io.cwd, invocation.args[0] ?? DEFAULT_DEFINITION)
    const began = performance.timeOrigin
    const kept = file === null ? { out: text, file } : { out: '', file: { path: file.path, text } }
    await remember({ ...kept, err, code, question: io.question, named, project, planned, began })
  }
  return code
}

const piecesOf = (text: Text): Iterable<string> =>
  typeof text !== 'string' ? text : text === '' ? [] : [text]

/** When the reader has caught up, or has gone: who watches the stream says that. */
const drained = (stream: NodeJS.WriteStream): Promise<unknown> =>
  new Promise(done => stream.once('drain', done).once('error', done))

/** A whole number from 1; null where the option is not given. @throws InputError */
export function readCount(invocation: Invocation, name: string): number | null {
  const text = invocation.text(name)
  if (text === undefined) return null
  const count = Number(text)
  if (Number.isSafeInteger(count) && count >= 1) return count
  throw new InputError([
    wrong('not-a-count', `--${name} ${text}: a whole number from 1 was expected`, `Write --${name} 10.`),
  ])
}
