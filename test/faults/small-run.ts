/**
 * The smallest release that shows whether an effect was lost or done again: a gate, a step that can be observed, and
 * one that may be done again.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createProject, type TestProject } from '../rig/project.ts'

const definition = `import { command, release } from 'release-as-code'

const files = async () => await import('node:fs')
const append = async (line: string) => (await files()).appendFileSync('effects.log', line + '\\n')
const done = async (line: string) => {
  const { existsSync, readFileSync } = await files()
  return existsSync('effects.log') && readFileSync('effects.log', 'utf8').split('\\n').includes(line)
}

export default release('small', { version: '1.0.0' })
  .stage('small', s => s
    .gate('lint', command(['sh', '-c', 'echo lint; echo lint >> effects.log']).passes())
    .step('one', () => append('one'), { observe: async () => (await done('one')) ? null : undefined, undo: 'none' })
    .step('two', () => append('two'), { idempotent: true, undo: 'none' }))
`

export const countedSteps = (env: Readonly<Record<string, string>> = {}): TestProject =>
  createProject({ files: { 'release.config.ts': definition }, env })

export interface Effects {
  readonly lint: number
  readonly one: number
  readonly two: number
}

/** How often each was done. */
export const effectsLeft = (project: TestProject): Effects => {
  const lines = project.lines('effects.log')
  const count = (line: string): number => lines.filter(one => one === line).length
  return { lint: count('lint'), one: count('one'), two: count('two') }
}

/** As if nothing had ever been run. */
export const forget = (project: TestProject): void => {
  for (const path of ['.release', 'effects.log'])
    rmSync(join(project.root, path), { recursive: true, force: true })
}
