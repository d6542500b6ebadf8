import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findProject } from '../../runner/load/project.ts'
import { InputError } from '../../src/errors.ts'

let root: string

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'project-')))
  mkdirSync(join(root, 'team/releases/deep'), { recursive: true })
  for (const name of [
    'team/package.json',
    'team/releases/it.ts',
    'team/release.config.ts',
    'team/notes.md',
    'alone.ts',
  ])
    writeFileSync(join(root, name), '{}')
  symlinkSync(join(root, 'team'), join(root, 'link'))
})
afterEach(() => rmSync(root, { recursive: true }))

const FOUND: readonly (readonly [file: string | undefined, cwd: string, root: string, definition: string])[] =
  [
    ['releases/it.ts', 'team', 'team', 'releases/it.ts'],
    ['it.ts', 'team/releases', 'team', 'releases/it.ts'],
    [undefined, 'team', 'team', 'release.config.ts'],
    ['link/releases/it.ts', '.', 'team', 'releases/it.ts'],
    ['alone.ts', '.', '.', 'alone.ts'],
  ]
test.each(FOUND)('%s from %s', async (file, cwd, folder, definition) => {
  const project = await findProject(file, { cwd: join(root, cwd) })
  expect(project.root).toBe(join(root, folder))
  expect(project.relative(project.definition)).toBe(definition)
  expect(project.state).toBe(join(root, folder, '.release'))
})

test('the state may be elsewhere', async () => {
  const project = await findProject('alone.ts', { cwd: root, state: 'other/state' })
  expect(project.state).toBe(join(root, 'other/state'))
})

const NOT_FOUND: readonly (readonly [
  file: string | undefined,
  cwd: string,
  message: RegExp,
  hint: RegExp,
])[] = [
  [undefined, 'team/releases', /no definition was named/, /release init/],
  ['releases/none.ts', 'team', /there is no definition at/, /misspelling/],
  ['releases/it', 'team', /there is no definition at/, /did you mean releases\/it\.ts\?/],
  ['releases', 'team', /is a folder/, /name the TypeScript file/],
  ['team', '.', /is a folder/, /say team\/release\.config\.ts/],
  ['notes.md', 'team', /is not a TypeScript/, /exports the release/],
]
test.each(NOT_FOUND)('%s from %s is refused', async (file, cwd, message, hint) => {
  const error: unknown = await findProject(file, { cwd: join(root, cwd) }).catch((thrown: unknown) => thrown)
  if (!(error instanceof InputError)) throw new Error('it was found')
  expect(error).toMatchObject({ code: 'no-definition', exitCode: 2 })
  expect(error.message).toMatch(message)
  expect(error.hint).toMatch(hint)
})
