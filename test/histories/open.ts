/**
 * A history, brought back to life in a project of its own.
 *
 * The folder that a run's commands start in is written in its meta.json, absolute: a history names one that is
 * nowhere, and gets the project's in its place. Nothing else of it is touched.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createProject, type TestProject } from '../rig/project.ts'

/** The project's folder as histories name it. */
export const NOWHERE = '/nowhere/project'

const histories = join(import.meta.dirname, 'fixtures')

export const historyFolder = (format: number, name: string): string =>
  join(histories, `format-${format}`, name)

/** The run, in a project that has nothing else; its definition is gone, as after months it may be. */
export function reviveHistory(folder: string): { readonly project: TestProject; readonly run: string } {
  const project = createProject({ files: {} })
  const meta = readFileSync(join(folder, 'meta.json'), 'utf8')
  const { run } = JSON.parse(meta) as { run: string }
  cpSync(folder, project.folderOf(run), { recursive: true })
  for (const empty of ['inbox', 'logs']) project.write(join('.release', 'runs', run, empty, '.keep'), '')
  writeFileSync(join(project.folderOf(run), 'meta.json'), meta.replaceAll(NOWHERE, project.root))
  return { project, run }
}
