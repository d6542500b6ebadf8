/**
 * What has to be true of every run: judged from the record alone, by rules written down a second time.
 *
 * Boundary: shares no code with decide, evolve or rollback.
 */

import { besideOf, isDivided } from '../../runner/simulate/model-fleet.ts'
import type { RunEvent } from '../../src/run/events.ts'
import type { Evidence } from '../../src/run/evidence.ts'
import { type Case, NEW_EVERYWHERE } from './case.ts'
import type { ModelWorld } from './model-world.ts'
import { revisionOf, type Sketch, type SketchNode, stageOf } from './sketch.ts'

/** A law is broken. `law` is its name, by which a shrunk case is known to be broken in the same way. */
export class Broken extends Error {
  readonly law: string

  constructor(law: string, message: string) {
    super(`${law}: ${message}`)
    this.law = law
  }
}

export function demand(held: boolean, law: string, message: () => string): asserts held {
  if (!held) throw new Broken(law, message())
}

type Fate = 'none' | 'begun' | 'succeeded' | 'failed' | 'cancelled' | 'skipped'

const targetOf = (key: string): string => key.replace(/^rollback\/\d+\//, '')
const numberOf = (key: string): number => Number(key.split('/')[1])
const isRollback = (key: string): boolean => key.startsWith('rollback/')

interface Failed {
  readonly key: string
  /** contain: it stays with its component. Otherwise the policy that stopped the run. */
  readonly rule: 'contain' | 'stop' | 'rollback-dependents' | 'rollback-all'
}

const FORCE = { stop: 0, 'rollback-dependents': 1, 'rollback-all': 2 } as const

/** Follows a run's record and judges what starts and how it ends. */
export class Judge {
  readonly #sketch: Sketch
  readonly #nodes: ReadonlyMap<string, SketchNode>
  /** All nodes that come after a node, directly or through others. */
  readonly #later: ReadonlyMap<string, ReadonlySet<string>>
  readonly fate = new Map<string, Fate>()
  readonly #because = new Map<string, string>()
  readonly #attempt = new Map<string, number>()
  /** Its effect may be in force. */
  readonly owed = new Set<string>()
  readonly #running = new Set<string>()
  /** Analyses under way: they take nobody's place. */
  readonly #watching = new Set<string>()
  /** When each node ended last, as the number of its event, and by the clock. */
  readonly #endedAs = new Map<string, { readonly count: number; readonly at: number }>()
  #attachedAs = 0
  #haltedAt: number | null = null
  /** Rollback nodes, with what they wait for. */
  readonly #rollbacks = new Map<string, { readonly after: readonly string[]; readonly epoch: number }>()
  #failed: Failed[] = []
  #epoch = 0
  /** What each rollback by a person left as it was. */
  #persons: ReadonlySet<string>[] = []
  #cancelled = false
  readonly #done: string[] = []
  readonly #waits = new Map<string, number>()
  readonly #approvals = new Map<string, Set<string>>()
  /** Begun, and known to have failed or allowed to begin again. */
  readonly #answered = new Set<string>()
  #count = 0

  constructor(kase: Case) {
    this.#sketch = kase.sketch
    this.#nodes = new Map(kase.sketch.nodes.map(node => [node.key, node]))
    this.#later = laterOf(kase.sketch)
  }

  /** A runner has come: what the one before had running is gone. */
  attached(): void {
    this.#running.clear()
    this.#watching.clear()
    this.#attachedAs = this.#count
  }

  /** The engine performs this attempt now. Returns what ends it. */
  starts(key: string, attempt: number): () => void {
    const target = targetOf(key)
    demand(
      this.#attempt.get(key) === attempt && this.fate.get(key) === 'begun',
      'intent first',
      () => `attempt ${attempt} of ${key} was performed without its intent on record`,
    )
    demand(!this.#running.has(target), 'one at a time', () => `${key} was performed while ${target} is`)
    const watches = !isRollback(key) && this.#nodes.get(key)!.kind === 'analyse'
    const place = watches ? this.#watching : this.#running
    demand(watches || place.size < this.#sketch.concurrency, 'concurrency', () => `${key} was one too many`)
    if (isRollback(key)) this.#mayUndo(key, target)
    else this.#mayBegin(key)
    place.add(target)
    return () => {
      place.delete(target)
    }
  }

  #mayBegin(key: string): void {
    const node = this.#nodes.get(key)!
    for (const need of node.needs) {
      demand(this.#satisfied(need), 'needs', () => `${key} began before ${need} had succeeded`)
    }
    for (const before of node.after) {
      demand(this.#ended(before), 'after', () => `${key} began before ${before} had ended`)
    }
    if (node.kind === 'promote') this.#mayPromote(node)
  }

  /** Everything that was shifted for it was watched since, as far as it was to be watched. */
  #mayPromote(node: SketchNode): void {
    const mates = this.#sketch.nodes.filter(other => isTogether(other, node))
    const before = mates.filter(({ key }) => this.#later.get(key)!.has(node.key))
    for (const watch of before.filter(({ kind }) => kind === 'analyse')) {
      const judged = this.#endedAs.get(watch.key)?.count ?? 0
      const shifts = before.filter(
        ({ kind, key }) => kind === 'shift' && this.#later.get(key)!.has(watch.key),
      )
      demand(
        this.#satisfied(watch.key) &&
          shifts.every(({ key }) => (this.#endedAs.get(key)?.count ?? 0) < judged || this.#isLeftOut(key)),
        'promotion after judgement',
        () => `${node.key} began, and ${watch.key} has not passed on the traffic that it promotes`,
      )
    }
  }

  #isLeftOut(key: string): boolean {
    return this.#because.get(key) === 'only'
  }

  #mayUndo(key: string, target: string): void {
    for (const before of this.#rollbacks.get(key)!.after) {
      demand(this.#ended(before), 'rollback order', () => `${key} began before ${before} had ended`)
    }
    for (const [other] of this.#rollbacks) {
      const first = targetOf(other)
      // One that is planned later finds this one under way.
      const follows = this.#later.get(target)!.has(first) && numberOf(other) <= numberOf(key)
      demand(
        !follows || this.#ended(other),
        'dependants first',
        () => `${key} began before ${other} had ended`,
      )
    }
  }

  #satisfied(key: string): boolean {
    const fate = this.fate.get(key)
    return fate === 'succeeded' || (fate === 'skipped' && this.#because.get(key) === 'only')
  }

  #ended(key: string): boolean {
    const fate = this.fate.get(key) ?? 'none'
    return fate !== 'none' && fate !== 'begun'
  }

  observe(event: RunEvent): void {
    this.#count += 1
    demand(this.#count < 3_000, 'it ends', () => 'three thousand events and no end')
    switch (event.type) {
      case 'node-started':
        demand(!this.#ended(event.node), 'never again', () => `${event.node} has ended and was started again`)
        this.#mayRepeat(event.node)
        this.#beginsAtOnce(event)
        this.fate.set(event.node, 'begun')
        this.#attempt.set(event.node, event.attempt)
        if (!isRollback(event.node)) this.owed.add(event.node)
        return
      case 'node-retrying':
      case 'node-rerun':
        this.#answered.add(event.node)
        return
      case 'node-waiting':
        this.#waits.set(event.node, event.at)
        return
      case 'node-succeeded':
        this.#succeeds(event)
        return
      case 'node-failed':
        this.#mayJudge(event)
        if (!this.#ended(event.node) && !isRollback(event.node)) this.#fails(event)
        if (!this.#ended(event.node)) this.fate.set(event.node, 'failed')
        this.#endedAs.set(event.node, { count: this.#count, at: event.at })
        return
      case 'node-cancelled':
      case 'node-skipped':
        this.#consequence(event)
        return
      case 'approval-given':
        this.#approvals.set(event.node, (this.#approvals.get(event.node) ?? new Set()).add(event.role))
        return
      case 'rollback-planned':
        this.#plans(event)
        return
      case 'run-reopened':
        this.#reopens(event.nodes)
        return
      case 'stop-asked':
        if (event.by === 'cancel') this.#cancelled = true
        if (event.by === 'cancel') this.#haltedAt ??= event.at
        return
      case 'run-finished':
        this.#finishes(event)
        return
      default:
        return
    }
  }

  /** A step that was cut off, and can be neither asked nor repeated, begins again only when a person says so. */
  #mayRepeat(key: string): void {
    const node = this.#nodes.get(key)
    const blind = node?.kind === 'step' && node.redo === undefined
    const cutOff = this.fate.get(key) === 'begun' && !this.#answered.delete(key)
    demand(!blind || !cutOff, 'uncertain', () => `${key} was cut off and began again without anybody's word`)
  }

  #succeeds(event: Extract<RunEvent, { type: 'node-succeeded' }>): void {
    const { node: key, at } = event
    demand(!this.#ended(key), 'one end', () => `${key} succeeded when it had ended as ${this.fate.get(key)}`)
    this.#mayJudge(event)
    this.fate.set(key, 'succeeded')
    this.#endedAs.set(key, { count: this.#count, at })
    if (isRollback(key)) {
      this.owed.delete(targetOf(key))
      return
    }
    if (event.how === 'observed' && event.attempt === 1) this.owed.delete(key)
    else this.owed.add(key)
    this.#done.push(key)
    const node = this.#nodes.get(key)!
    if (node.kind === 'analyse') this.#passes(node, event.value as unknown as Evidence)
    if (node.kind === 'wait') {
      const waited = at - (this.#waits.get(key) ?? at)
      demand(waited >= node.time!, 'waits', () => `${key} waited ${waited} of ${node.time} ms`)
    }
    if (node.kind === 'approval') {
      demand(this.#approvals.get(key)?.size === 2, 'approved', () => `${key} succeeded without its approvals`)
    }
  }

  #consequence({
    node,
    because,
    type,
  }: Extract<RunEvent, { type: 'node-cancelled' | 'node-skipped' }>): void {
    const known = this.#failed.some(failed => failed.key === because)
    const isWord = because === 'only' ? type === 'node-skipped' : ['cancel', 'person'].includes(because)
    demand(
      known || isWord,
      'root cause',
      () => `${type} of ${node} names ${because}, which did not fail by itself`,
    )
    if (this.#ended(node)) return
    this.#endedAs.set(node, { count: this.#count, at: this.#endedAs.get(because)?.at ?? 0 })
    this.fate.set(node, type === 'node-skipped' ? 'skipped' : 'cancelled')
    this.#because.set(node, because)
  }

  #failedOf(key: string): Failed {
    const node = this.#nodes.get(key)!
    const policy = this.#sketch.stages.find(stage => stage.name === stageOf(key))!.policy
    const names = this.#matesOf(node)
    const critical =
      names.size === 0 || this.#sketch.components.some(({ name, critical }) => critical && names.has(name))
    if (!critical || policy === 'continue-partial') return { key, rule: 'contain' }
    return { key, rule: policy }
  }

  /** Names of the components that fail with the node. */
  #matesOf(node: SketchNode): ReadonlySet<string> {
    const mates = this.#sketch.nodes.filter(other => other === node || isLocked(other, node))
    return new Set(mates.flatMap(({ component }) => component ?? []))
  }

  #fails({ node, at }: { readonly node: string; readonly at: number }): void {
    const failed = this.#failedOf(node)
    this.#failed.push(failed)
    if (failed.rule !== 'contain') this.#haltedAt ??= at
  }

  /** It takes nobody's place: with all that it needs there, it begins before any time passes. */
  #beginsAtOnce({ node: key, at, attempt }: Extract<RunEvent, { type: 'node-started' }>): void {
    const node = this.#nodes.get(key)
    if (node?.kind !== 'analyse' || attempt > 1) return
    const ends = node.needs.map(need => this.#endedAs.get(need))
    const last = Math.max(0, ...ends.map(end => end?.count ?? 0))
    const latest = Math.max(0, ...ends.map(end => end?.at ?? 0))
    demand(
      last <= this.#attachedAs || at === latest,
      'an analysis waits for nobody',
      () => `${key} could begin at ${latest} and began at ${at}`,
    )
  }

  /** What stops a run stops its analyses with it. */
  #mayJudge({ node: key, at }: { readonly node: string; readonly at: number }): void {
    if (isRollback(key) || this.#nodes.get(key)!.kind !== 'analyse') return
    demand(
      this.#haltedAt === null || at <= this.#haltedAt,
      'a halt ends analyses',
      () => `${key} was watched until ${at}, and the run was halted at ${this.#haltedAt}`,
    )
  }

  #passes({ key, until }: SketchNode, { series }: Evidence): void {
    const seen = series.flatMap(({ points }) => points.map(([, value]) => value))
    demand(
      seen.some(value => value !== null) && seen.every(value => value === null || value === 0),
      'measured',
      () => `${key} passed having measured ${JSON.stringify(seen)}`,
    )
    demand(
      until === undefined || this.#ended(until),
      'until',
      () => `${key} passed before ${until} had ended`,
    )
  }

  #plans(event: Extract<RunEvent, { type: 'rollback-planned' }>): void {
    if (event.because === 'person') {
      const { scope } = event
      const place = scope.kind === 'to' ? this.#done.lastIndexOf(scope.node) : -1
      this.#persons.push(new Set(this.#done.filter(key => this.#done.lastIndexOf(key) <= place)))
    }
    for (const { key, undoes, after } of event.nodes) {
      demand(this.owed.has(undoes), 'nothing but what was done', () => `${key} takes back what was not done`)
      this.#rollbacks.set(key, { after, epoch: this.#epoch })
    }
  }

  #reopens(keys: readonly string[]): void {
    for (const key of keys) this.fate.delete(key)
    this.#failed = []
    this.#persons = []
    this.#cancelled = false
    this.#haltedAt = null
    this.#epoch += 1
  }

  /** Whether it has to be undone now that the run has finished as it did: the last word on that counts. */
  #due(key: string): boolean {
    const last = this.#persons.at(-1)
    const asked = last === undefined ? this.#byPolicy(this.#nodes.get(key)!) : !last.has(key)
    return asked || this.#undecided(this.#nodes.get(key)!)
  }

  /** It divides traffic, or was started for that, and nothing that stands has promoted it. */
  #undecided(node: SketchNode): boolean {
    if (node.undo !== 'traffic' && node.undo !== 'remove') return false
    return !this.#sketch.nodes.some(
      ({ kind, key, component }) =>
        kind === 'promote' &&
        component === node.component &&
        stageOf(key) === stageOf(node.key) &&
        this.fate.get(key) === 'succeeded' &&
        this.owed.has(key),
    )
  }

  /** Whether anything ever asked for its undoing since the run was last reopened. */
  #allowed(key: string): boolean {
    const node = this.#nodes.get(key)!
    if (node.undo === 'traffic' || node.undo === 'remove' || this.#persons.some(kept => !kept.has(key)))
      return true
    // What is taken back for one of a lockstep is taken back for all.
    const torn = this.#sketch.nodes.some(
      other => isLocked(other, node) && other.undo === 'traffic' && !this.owed.has(other.key),
    )
    return torn || this.#byPolicy(node)
  }

  #byPolicy(node: SketchNode): boolean {
    const halt = this.#haltRule()
    if (halt === 'rollback-all') return true
    return this.#failed.some(failed => {
      if (failed.rule === 'stop' || (failed.rule === 'rollback-dependents' && halt === 'stop')) return false
      if (failed.key === node.key) return true
      return this.#fallen(this.#matesOf(this.#nodes.get(failed.key)!)).has(node.component ?? '')
    })
  }

  #haltRule(): keyof typeof FORCE | null {
    const rules = this.#failed.flatMap(({ rule }) => (rule === 'contain' ? [] : [rule]))
    return rules.sort((a, b) => FORCE[b] - FORCE[a])[0] ?? null
  }

  /** With all that need one of them, and all that shift together with one of these. */
  #fallen(names: ReadonlySet<string>): ReadonlySet<string> {
    const found = new Set(names)
    for (let before = -1; before !== found.size; ) {
      before = found.size
      for (const component of this.#sketch.components) {
        if (component.needs.some(need => found.has(need))) found.add(component.name)
      }
      for (const node of this.#sketch.nodes) {
        if (node.lockstep === undefined || !found.has(node.component ?? '')) continue
        for (const mate of this.#matesOf(node)) found.add(mate)
      }
    }
    return found
  }

  #finishes({ outcome, cause }: Extract<RunEvent, { type: 'run-finished' }>): void {
    for (const { key } of this.#sketch.nodes) {
      demand(this.#ended(key), 'all end', () => `the run finished and ${key} has not ended`)
    }
    for (const [key] of this.#rollbacks) {
      demand(this.#ended(key), 'all end', () => `the run finished and ${key} has not ended`)
    }
    this.#judgeOutcome(outcome, cause)
    this.#judgeUndone()
    this.#judgeLocksteps()
  }

  /** Those that shift together stand and fall together, unless taking one of them back has failed. */
  #judgeLocksteps(): void {
    const promotions = this.#sketch.nodes.filter(({ kind, lockstep }) => kind === 'promote' && lockstep)
    for (const one of promotions) {
      const mates = promotions.filter(other => isLocked(other, one))
      const standing = mates.filter(({ key }) => this.fate.get(key) === 'succeeded' && this.owed.has(key))
      const tried = [...this.#rollbacks.keys()].some(
        key => this.fate.get(key) === 'failed' && isLocked(this.#nodes.get(targetOf(key))!, one),
      )
      demand(
        tried || standing.length === 0 || standing.length === mates.length,
        'lockstep',
        () => `${standing.map(({ key }) => key).join(', ')} stand and others of their lockstep do not`,
      )
    }
  }

  /** A run that has ended divides nothing, and nothing of a canary is left, unless its undoing failed. */
  judgeTraffic(model: ModelWorld): void {
    for (const [place, one] of model.fleet.places) {
      const [stage, component] = place.split('/')
      const tried = [...this.#rollbacks.keys()].some(key => {
        const node = this.#nodes.get(targetOf(key))!
        return this.fate.get(key) === 'failed' && node.component === component && stageOf(node.key) === stage
      })
      if (tried) continue
      demand(!isDivided(one), 'traffic is decided', () => `the run ended and divides ${place}`)
      demand(besideOf(one) === 0, 'traffic is decided', () => `the run ended and ${place} has a canary`)
    }
  }

  /** Nobody leaves of his own accord while traffic is divided, but to ask what became of a step. */
  leaves(model: ModelWorld, waiting: readonly string[], isUncertain: (key: string) => boolean): void {
    const divided = [...model.fleet.places].find(([, place]) => isDivided(place))
    demand(
      divided === undefined || waiting.every(isUncertain),
      'nobody leaves divided traffic',
      () => `the run was left waiting for ${waiting.join(', ')} and divides ${divided?.[0]}`,
    )
  }

  #judgeOutcome(outcome: string, cause: string | null): void {
    const halt = this.#haltRule()
    const complete = this.#sketch.nodes.every(
      ({ key }) => !this.#undoable(key) || !this.#due(key) || !this.owed.has(key),
    )
    const expected =
      this.#persons.length > 0
        ? complete
          ? 'rolled-back'
          : 'failed'
        : halt !== null
          ? 'failed'
          : this.#cancelled
            ? 'cancelled'
            : this.#failed.length > 0
              ? 'partial'
              : 'succeeded'
    demand(outcome === expected, 'outcome', () => `it finished as ${outcome} and should have as ${expected}`)
    if (this.#persons.length > 0) return
    const causes = this.#failed
      .filter(({ rule }) => halt === null || rule !== 'contain')
      .map(({ key }) => key)
    demand(
      causes.length === 0 ? cause === null : causes.includes(cause ?? ''),
      'root cause',
      () => `it finished ${outcome} because of ${cause}; what failed is ${causes.join(', ') || 'nothing'}`,
    )
  }

  #undoable(key: string): boolean {
    return ['step', 'restore', 'traffic', 'remove'].includes(this.#nodes.get(key)!.undo ?? '')
  }

  /** What is promised to be undone is, or its undoing failed; and nothing else is. */
  #judgeUndone(): void {
    for (const { key } of this.#sketch.nodes) {
      const tried = [...this.#rollbacks].filter(
        ([other, { epoch }]) => epoch === this.#epoch && targetOf(other) === key,
      )
      if (tried.length > 0) {
        demand(this.#allowed(key), 'nothing but what is promised', () => `${key} was taken back`)
      }
      if (!this.#undoable(key) || !this.owed.has(key) || !this.#due(key)) continue
      const failed = tried.some(([other]) => this.fate.get(other) === 'failed')
      demand(failed, 'all that is promised', () => `${key} was done and not taken back`)
    }
  }

  /** The world is as the record says. */
  judgeWorld(model: ModelWorld): void {
    for (const node of this.#sketch.nodes) {
      if (node.kind === 'step' && node.undo === 'step' && !this.owed.has(node.key)) {
        demand(!model.applied.has(node.key), 'the world', () => `${node.key} is undone and still in force`)
      }
      if (node.kind === 'replace') this.#judgeSlot(node, model)
      if (node.kind === 'promote')
        for (let slot = 0; slot < node.slot!; slot += 1) this.#judgeSlot({ ...node, slot }, model)
    }
  }

  #judgeSlot({ key, component, slot }: SketchNode, model: ModelWorld): void {
    const running = model.fleet.place(stageOf(key), component!).stable.get(slot!)?.version ?? null
    const before = component === NEW_EVERYWHERE || slot! > 1 ? null : revisionOf(component!, '1.0.0').version
    if (!this.owed.has(key)) {
      demand(
        running === before,
        'the world',
        () => `${key} is undone or not begun, and ${running} runs in its slot`,
      )
    } else if (this.fate.get(key) === 'succeeded' && !this.#tried(key)) {
      demand(running === '2.0.0', 'the world', () => `${key} is done and ${running} runs in its slot`)
    }
  }

  /** Its undoing was begun, and may have had half of its effect. */
  #tried(key: string): boolean {
    return [...this.#rollbacks.keys()].some(other => targetOf(other) === key)
  }
}

const isLocked = (one: SketchNode, other: SketchNode): boolean =>
  one.lockstep !== undefined && one.lockstep === other.lockstep

/** They belong to one course: of a component in its place, or of a lockstep. */
const isTogether = (one: SketchNode, other: SketchNode): boolean =>
  isLocked(one, other) || (one.component === other.component && stageOf(one.key) === stageOf(other.key))

function laterOf(sketch: Sketch): ReadonlyMap<string, ReadonlySet<string>> {
  const later = new Map<string, Set<string>>(sketch.nodes.map(({ key }) => [key, new Set()]))
  for (const node of [...sketch.nodes].reverse()) {
    for (const before of [...node.needs, ...node.after]) {
      const set = later.get(before)!
      set.add(node.key)
      for (const key of later.get(node.key)!) set.add(key)
    }
  }
  return later
}
