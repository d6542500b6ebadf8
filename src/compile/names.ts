/**
 * Pass: names that stand twice.
 *
 * Reason: a name is a key in the journal, in `outputs` and on the command line; two things of one name would
 * share a fate.
 */
import type { CallSite, ItemModel, ReleaseModel } from '../definition/model.ts'
import type { CompileContext } from './context.ts'

export function checkNames(model: ReleaseModel, context: CompileContext): void {
  checkRelease(model, context)
  checkPlaces(model, context)
  checkKeys(model, context)
  const stages = new Names('stage', context)
  const named = new Names('step, gate or approval', context)
  for (const stage of model.stages) {
    stages.add(stage.name, stage.at)
    for (const item of flatten(stage.items)) {
      if (item.kind === 'step' || item.kind === 'gate' || item.kind === 'approval')
        named.add(item.name, item.at)
    }
  }
}

function checkRelease({ name, at }: ReleaseModel, context: CompileContext): void {
  if (name.trim() !== '') return
  context.report({
    code: 'not-a-name',
    message: `${JSON.stringify(name)} cannot be the name of a release`,
    hint: 'Its runs are found by it: give it one.',
    at,
  })
}

/** Parts of an address: `<gateway>/<component>/<path>`, of a node's key, and of a variable's name. */
const PLACE = /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u

/** Components and environments, each said once however often it is used. */
function checkPlaces(model: ReleaseModel, context: CompileContext): void {
  const places = new Map<unknown, { readonly what: string; readonly name: string; readonly at: CallSite }>()
  for (const component of model.components) places.set(component, { what: 'component', ...component })
  for (const item of model.stages.flatMap(stage => flatten(stage.items))) {
    if (item.kind === 'deploy') places.set(item.to, { what: 'environment', ...item.to })
  }
  for (const { what, name, at } of places.values()) {
    if (PLACE.test(name)) continue
    const article = what === 'environment' ? 'an' : 'a'
    context.report({
      code: 'not-a-name',
      message: `${JSON.stringify(name)} cannot be the name of ${article} ${what}`,
      hint: 'It is part of an address: letters, digits, dots, hyphens and underscores, with a letter or digit first.',
      at,
    })
  }
}

/** What every object of JavaScript has. */
const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype))

/**
 * Names under which something is found again in an object, as `outputs.NAME` is. Every object of JavaScript has some
 * already, such as `constructor`: what is looked for there would be taken for found.
 */
function checkKeys(model: ReleaseModel, context: CompileContext): void {
  const items = model.stages.flatMap(stage => [...flatten(stage.items)])
  const named: { readonly name: string; readonly at: CallSite }[] = [
    ...model.components,
    ...new Set(items.flatMap(item => (item.kind === 'deploy' ? [item.to] : []))),
    ...items.filter(item => item.kind === 'step'),
  ]
  for (const { name, at } of named) {
    if (!INHERITED.has(name)) continue
    context.report({
      code: 'not-a-name',
      message: `${JSON.stringify(name)} cannot be a name`,
      hint: 'Every object of JavaScript has a property of that name already: take another.',
      at,
    })
  }
}

type Leaf = Exclude<ItemModel, { items: unknown }>

/** By the items that they were made from, which are frozen: every pass asks for them. */
const flattened = new WeakMap<readonly ItemModel[], readonly Leaf[]>()

/** Items without the sequences and parallels around them. */
export function flatten(items: readonly ItemModel[]): readonly Leaf[] {
  const known = flattened.get(items)
  if (known !== undefined) return known
  const leaves: Leaf[] = []
  gather(items, leaves)
  flattened.set(items, leaves)
  return leaves
}

function gather(items: readonly ItemModel[], leaves: Leaf[]): void {
  for (const item of items) {
    if ('items' in item) gather(item.items, leaves)
    else leaves.push(item)
  }
}

class Names {
  readonly #seen = new Map<string, CallSite>()
  readonly #what: string
  readonly #context: CompileContext

  constructor(what: string, context: CompileContext) {
    this.#what = what
    this.#context = context
  }

  add(name: string, at: CallSite): void {
    this.#checkForm(name, at)
    const first = this.#seen.get(name)
    if (first === undefined) {
      this.#seen.set(name, at)
      return
    }
    this.#context.report({
      code: 'duplicate-name',
      message: `a ${this.#what} named "${name}" stands twice`,
      hint: 'Rename one of them: names are unique in a release.',
      at,
      related: [{ message: 'the first one', at: first }],
    })
  }

  #checkForm(name: string, at: CallSite): void {
    if (name.trim() !== '' && !name.includes('/') && !/\p{Cc}/u.test(name)) return
    this.#context.report({
      code: 'not-a-name',
      message: `${JSON.stringify(name)} cannot be the name of a ${this.#what}`,
      hint: 'A name is not empty and holds neither a slash nor a control character.',
      at,
    })
  }
}
