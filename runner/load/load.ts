/**
 * A definition's file in; data, source positions and everything that is wrong with it out.
 *
 * The types are checked beside the bundling and the evaluation, and the findings of all three are
 * reported together.
 */
import type { Diagnostic } from '../../src/diagnostic.ts'
import { InputError } from '../../src/errors.ts'
import { type Bundle, bundleDefinition } from './bundle.ts'
import { evaluateBundle, type Loaded } from './evaluate.ts'
import type { Project } from './project.ts'
import { checkTypes, type TypeCheck } from './type-check.ts'

/** A definition that was bundled and evaluated, and may still be being checked. */
export interface OpenedDefinition extends Loaded {
  readonly bundle: Bundle
  /** Rejects where the compiler could not be asked; need not be waited for. */
  readonly checked: Promise<Checked>
}

export interface LoadedDefinition extends Loaded, Checked {
  readonly bundle: Bundle
}

export interface Checked {
  /** What the compiler and the bundler found. With errors among them the definition must not be run. */
  readonly diagnostics: readonly Diagnostic[]
  /** All that the bundle and the findings rest on, absolute; null where that is not known. */
  readonly files: readonly string[] | null
}

export interface LoadOptions {
  readonly types: 'check' | 'skip'
}

/**
 * Bundles, evaluates and, if asked, checks a definition.
 *
 * @throws InputError where it could not be bundled or evaluated, with the type errors among its diagnostics
 */
export async function loadDefinition(project: Project, options: LoadOptions): Promise<LoadedDefinition> {
  const { checked, ...opened } = await openDefinition(project, options)
  return { ...opened, ...(await checked) }
}

/**
 * The same, for who has something to do until the types are checked. Nothing of it is to be shown or run before.
 *
 * @throws InputError as {@link loadDefinition}
 */
export async function openDefinition(project: Project, options: LoadOptions): Promise<OpenedDefinition> {
  // The compiler takes the longest, in a process of its own: it is begun first.
  const checking = options.types === 'check' ? checkTypes(project) : Promise.resolve(unchecked)
  const settled = Promise.allSettled([checking])
  const loaded = await bundleAndEvaluate(project).catch(async reason => {
    const [checked] = await settled
    throw together(reason, checked)
  })
  const checked = checking.then(types => withBundle(loaded.bundle, types))
  // Who fails before the answer is asked for has told enough.
  checked.catch(() => {})
  return { ...loaded, checked }
}

const unchecked: TypeCheck = { diagnostics: [], files: null }

const withBundle = (bundle: Bundle, { diagnostics, files }: TypeCheck): Checked => ({
  diagnostics: [...bundle.warnings, ...diagnostics],
  files: files === null ? null : [...bundle.files, ...files],
})

async function bundleAndEvaluate(project: Project): Promise<Loaded & { readonly bundle: Bundle }> {
  const bundle = await bundleDefinition(project)
  return { ...(await evaluateBundle(bundle, project)), bundle }
}

function together(reason: unknown, checked: PromiseSettledResult<TypeCheck>): unknown {
  if (!(reason instanceof InputError) || checked.status === 'rejected') return reason
  const said = new Set(reason.diagnostics.map(placeKey))
  return new InputError([
    ...reason.diagnostics,
    ...checked.value.diagnostics.filter(
      finding => finding.span === undefined || !said.has(placeKey(finding)),
    ),
  ])
}

/** The bundler and the compiler say a syntax error each in its own words: once is enough. */
const placeKey = ({ span }: Diagnostic): string => (span === undefined ? '' : `${span.file}:${span.line}`)
