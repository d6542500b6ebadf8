/**
 * The release among what a definition exports, or what is wrong with what it exports.
 *
 * Known by the `Symbol.for` brand, since the bundle holds its own copy of the language.
 */
import type { ReleaseModel } from '../../src/definition/model.ts'
import type { Span } from '../../src/diagnostic.ts'
import { InputError } from '../../src/errors.ts'
import { readText } from './keep.ts'
import type { Project } from './project.ts'

const MODEL = Symbol.for('release-as-code/model')
const KIND = Symbol.for('release-as-code/kind')

/** @throws InputError `no-release` */
export function findRelease(exports: unknown, project: Project): ReleaseModel {
  const all = isObject(exports) ? exports : {}
  const exported: unknown = Reflect.get(all, 'default')
  const model = modelIn(exported)
  if (model !== undefined) return model
  throw new InputError([
    {
      code: 'no-release',
      severity: 'error',
      message: `${project.relative(project.definition)} must export a release as its default, but ${described(exported)}`,
      hint: hintFor(exported, all),
      span: placeOfDefault(project),
    },
  ])
}

const isObject = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function'

function modelIn(value: unknown): ReleaseModel | undefined {
  const model: unknown = isObject(value) ? Reflect.get(value, MODEL) : undefined
  return isObject(model) && Reflect.get(model, KIND) === 'release' ? (model as ReleaseModel) : undefined
}

function described(value: unknown): string {
  if (value === undefined) return 'it has no default export'
  if (value instanceof Promise) return 'its default export is a promise'
  if (typeof value === 'function') return 'its default export is a function'
  const model: unknown = isObject(value) ? (Reflect.get(value, MODEL) ?? value) : undefined
  const kind: unknown = isObject(model) ? Reflect.get(model, KIND) : undefined
  if (typeof kind === 'string') return `its default export is a ${kind}`
  return `its default export is ${value === null ? 'null' : `of type ${typeof value}`}`
}

function hintFor(value: unknown, exports: object): string {
  if (value instanceof Promise) return 'a definition waits for nothing: build the release without async'
  if (typeof value === 'function') return 'call the function, and export the release that it returns'
  const named = Object.keys(exports).find(name => modelIn(Reflect.get(exports, name)) !== undefined)
  return named === undefined
    ? "write: export default release('name', { … }).stage(…)"
    : `the release is exported as ${named}: add export default ${named}`
}

/** Where the default export is written; the first line where there is none. */
function placeOfDefault(project: Project): Span {
  const lines = (readText(project.definition) ?? '').split('\n')
  const index = lines.findIndex(line => /^\s*export\s+default\b/.test(line))
  return { file: project.relative(project.definition), line: Math.max(index, 0) + 1, column: 1 }
}
