/**
 * The definition that a run began with: the bundle kept beside its journal.
 */
import { existsSync } from 'node:fs'
import { openBundle } from './load/bundle.ts'
import { evaluateBundle, type Loaded } from './load/evaluate.ts'
import { findProject, type Project } from './load/project.ts'
import type { OpenedRun } from './open-run.ts'

export interface LoadRunOptions {
  /** Told where the file has changed since. */
  readonly onChange: (message: string) => void
  readonly quiet: boolean
}

export async function loadRunDefinition(opened: OpenedRun, options: LoadRunOptions): Promise<Loaded> {
  const project = projectOf(opened)
  const bundle = await openBundle(opened.bundle, opened.plan.bundle)
  if (!options.quiet) await sayChange(opened, project, options)
  return evaluateBundle(bundle, project, { places: 'skip' })
}

/** The project as it was when the run began; its definition may be gone. */
export function projectOf({ meta, folder }: OpenedRun): Project {
  const { root, definition } = meta
  return {
    root,
    definition,
    state: folder.path.replace(/\/runs\/[^/]+$/, ''),
    relative: path => (path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path),
  }
}

async function sayChange(opened: OpenedRun, project: Project, options: LoadRunOptions): Promise<void> {
  const name = project.relative(project.definition)
  const goesOn = 'goes on with the one that it began with'
  if (!existsSync(project.definition)) {
    options.onChange(`${name} is gone; the run ${opened.folder.id} ${goesOn}`)
    return
  }
  const { bundleDefinition } = await import('./load/bundle.ts')
  const now = await findProject(project.definition, { cwd: project.root, state: project.state })
    .then(bundleDefinition)
    .catch(() => null)
  if (now?.hash === opened.plan.bundle) return
  options.onChange(
    `${name} has changed since the run ${opened.folder.id} began; it ${goesOn} (--adopt takes the new one)`,
  )
}
