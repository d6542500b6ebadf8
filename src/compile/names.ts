/**
 * Pass: names that stand twice.
 *
 * Reason: a name is a key in the journal, in `outputs` and on the command line; two things of one name would
 * share a fate.
 */
import type { CallSite, ItemModel, ReleaseModel } from '../definition/model.ts'
import type { CompileContext } from './context.ts'

export function checkNames(model: ReleaseModel, context: CompileContext): void {
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

/** Items without the sequences and parallels around them. */
export function flatten(items: readonly ItemModel[]): readonly Exclude<ItemModel, { items: unknown }>[] {
  return items.flatMap(item => ('items' in item ? flatten(item.items) : [item]))
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
