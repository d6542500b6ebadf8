/**
 * The objects behind `Stage` and `Parallel`.
 *
 * Role: collects items as models. Boundary: the precise types are in stage.ts; here the compiler is told
 * nothing that it could check again, because a method's type says more than its code can prove.
 *
 * Invariants:
 *  B1. A builder never changes: every method returns another one, frozen.
 *  B2. Nothing is judged here, except what cannot be data at all; the compiler says the rest, all at once.
 */
import { ReleaseError } from '../errors.ts'
import { callSite } from './call-site.ts'
import type { Channel } from './channel.ts'
import type { Check } from './check.ts'
import type { Component } from './component.ts'
import { copyOf, freeze, requireModel } from './handle.ts'
import type { CheckFunction, ItemModel, RetryModel, StepModel, Value } from './model.ts'
import { valueModel } from './param.ts'
import type { BakeOptions, DeployOptions, NotifyOptions } from './stage.ts'
import { analysisModel, rolling } from './strategy.ts'

type Build = (part: ItemsBuilder) => unknown

type Order = 'sequence' | 'parallel'

/** Options as they arrive, when their precise types have done their work. */
interface Options {
  readonly required?: boolean
  readonly timeout?: unknown
  readonly retry?: number | { readonly limit: number; readonly delay?: string; readonly maxDelay?: string }
  readonly from?: Readonly<Record<string, number>>
  readonly expires?: unknown
  readonly self?: boolean
  readonly undo?: StepModel['undo']
  readonly observe?: StepModel['observe']
  readonly idempotent?: boolean
}

const retryModel = (retry: Options['retry']): RetryModel | null => {
  if (retry === undefined) return null
  if (typeof retry === 'number') return { limit: retry, delay: null, maxDelay: null }
  return { limit: retry.limit, delay: retry.delay ?? null, maxDelay: retry.maxDelay ?? null }
}

const timeModel = (time: unknown): Value<string> | null =>
  time === undefined ? null : valueModel<string>(time)

const requireFunction = <T>(value: T, what: string): T => {
  if (typeof value === 'function') return value
  throw new ReleaseError('not-a-function', `${what} must be a function, and is of type ${typeof value}.`, {
    hint: 'Give a function; it runs when the release does, not while it is defined.',
    exitCode: 2,
  })
}

/** What a team's function built, which must have handed a builder back. */
const builtBy = (built: unknown, word: string): ItemsBuilder => {
  if (ItemsBuilder.isBuilder(built)) return built
  throw new ReleaseError('nothing-built', `The function given to ${word} returned nothing that it built.`, {
    hint: 'Return what it builds: write s => s.step(…), without braces, or return it.',
    exitCode: 2,
  })
}

/** The items that a team's function built, from the empty builder; `word` names what it was given to. */
export const buildItems = (order: Order, build: Build, word: string): readonly ItemModel[] =>
  ItemsBuilder.itemsOf(builtBy(build(new ItemsBuilder(order)), word))

/** The last item of a builder and all before it: adding one to thousands copies none of them. */
interface Chain {
  readonly item: ItemModel
  readonly before: Chain | null
}

/** A stage or a sequence, whose items run in order, or the parts of a parallel. */
export class ItemsBuilder {
  readonly #order: Order
  readonly #last: Chain | null

  constructor(order: Order, last: Chain | null = null) {
    this.#order = order
    this.#last = last
    Object.freeze(this)
  }

  static itemsOf(builder: ItemsBuilder): readonly ItemModel[] {
    const items: ItemModel[] = []
    for (let link = builder.#last; link !== null; link = link.before) items.push(link.item)
    return Object.freeze(items.reverse())
  }

  static isBuilder(value: unknown): value is ItemsBuilder {
    return typeof value === 'object' && value !== null && #last in value
  }

  #with(item: ItemModel): ItemsBuilder {
    return new ItemsBuilder(this.#order, { item: freeze(item), before: this.#last })
  }

  gate(name: string, check: Check | CheckFunction, options: Options = {}): ItemsBuilder {
    return this.#with({
      kind: 'gate',
      name,
      check: typeof check === 'function' ? check : requireModel('check', check, `The gate '${name}'`),
      required: options.required ?? true,
      timeout: timeModel(options.timeout),
      retry: retryModel(options.retry),
      at: callSite(this.gate),
    })
  }

  approval(name: string, options: Options): ItemsBuilder {
    return this.#with({
      kind: 'approval',
      name,
      from: copyOf(options.from ?? {}),
      expires: timeModel(options.expires),
      self: options.self ?? false,
      at: callSite(this.approval),
    })
  }

  step(name: string, run: StepModel['run'], options: Options = {}): ItemsBuilder {
    return this.#with({
      kind: 'step',
      name,
      run: requireFunction(run, `The step '${name}'`),
      timeout: timeModel(options.timeout),
      retry: retryModel(options.retry),
      undo: options.undo ?? null,
      observe: options.observe ?? null,
      idempotent: options.idempotent ?? false,
      at: callSite(this.step),
    })
  }

  deploy(components: readonly Component[], options: DeployOptions): ItemsBuilder {
    return this.#with({
      kind: 'deploy',
      components: components.map(component => requireModel('component', component, 'deploy')),
      to: requireModel('environment', options.to, 'deploy: to'),
      with: requireModel('strategy', options.with ?? rolling(), 'deploy: with'),
      order: options.order ?? 'needs',
      at: callSite(this.deploy),
    })
  }

  wait(duration: unknown): ItemsBuilder {
    return this.#with({ kind: 'wait', duration: valueModel<string>(duration), at: callSite(this.wait) })
  }

  bake(duration: unknown, options: BakeOptions = {}): ItemsBuilder {
    const analysis = analysisModel(options.analysis)
    return this.#with({
      kind: 'bake',
      duration: valueModel<string>(duration),
      analysis: { ...analysis, requests: options.requests ?? analysis.requests },
      at: callSite(this.bake),
    })
  }

  notify(channel: Channel, options: NotifyOptions = {}): ItemsBuilder {
    return this.#with({
      kind: 'notify',
      channel: requireModel('channel', channel, 'notify'),
      message: options.message ?? null,
      required: options.required ?? false,
      at: callSite(this.notify),
    })
  }

  parallel(build: Build): ItemsBuilder {
    const at = callSite(this.parallel)
    return this.#with({ kind: 'parallel', items: buildItems('parallel', build, 'parallel'), at })
  }

  sequence(build: Build): ItemsBuilder {
    const at = callSite(this.sequence)
    return this.#with({ kind: 'sequence', items: buildItems('sequence', build, 'sequence'), at })
  }

  each(list: readonly unknown[], build: (part: ItemsBuilder, item: unknown) => unknown): ItemsBuilder {
    return list.reduce<ItemsBuilder>((part, item) => builtBy(build(part, item), 'each'), this)
  }

  /** A piece is written for things in order; beside others it is one part. */
  use(piece: Build): ItemsBuilder {
    if (this.#order === 'sequence') return builtBy(piece(this), 'use')
    const at = callSite(this.use)
    return this.#with({ kind: 'sequence', items: buildItems('sequence', piece, 'use'), at })
  }
}
