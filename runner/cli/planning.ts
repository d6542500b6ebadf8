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

/** What a command has to say about a plan. */
export interface Said {
  readonly err?: string
  readonly out?: string
  readonly file?: { readonly path: string; readonly text: string }
  readonly code: number
  readonly request: PlanRequest
  readonly planned: Planned
}

/** Says it, and keeps it, so that the same question need not be worked out again. Returns the exit code. */
export async function answerWith(said: Said, invocation: Invocation, io: Io): Promise<number> {
  const { err = '', out = '', file = null, code, request, planned } = said
  if (err !== '') io.stderr.write(err)
  if (out !== '') io.stdout.write(out)
  if (file !== null) await writeFile(file.path, file.text)
  if (io.question !== undefined && io.question !== null) {
    const { remember } = await import('../remembered/remember.ts')
    const { project } = request
    const named = resolve(io.cwd, invocation.args[0] ?? DEFAULT_DEFINITION)
    const began = performance.timeOrigin
    await remember({ question: io.question, named, project, planned, began, err, out, file, code })
  }
  return code
}

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
