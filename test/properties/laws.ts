/**
 * What has to be true of every run: judged from the record alone, by rules written down a second time.
 *
 * Boundary: shares no code with decide, evolve or rollback.
 */

import type { RollbackScope, RunEvent } from '../../src/run/events.ts'
import type { Evidence } from '../../src/run/evidence.ts'
import { demand } from './broken.ts'
import type { Case } from './case.ts'
import { NEW_EVERYWHERE } from './deployments.ts'
import { type Failed, FORCE, fallenWith, isLocked, matesOf } from './fellows.ts'
import type { ModelWorld } from './model-world.ts'
import { isRollback, laterOf, numberOf, targetOf } from './record-keys.ts'
import { revisionOf, type Sketch, type SketchNode, stageOf } from './sketch.ts'
import { TrafficLaws } from './traffic-laws.ts'

export { Broken } from './broken.ts'

type Fate = 'none' | 'begun' | 'succeeded' | 'failed' | 'cancelled' | 'skipped'

/** Follows a run's record and judges what starts and how it ends. */
export class Judge {
  readonly #sketch: Sketch
  readonly #nodes: ReadonlyMap<string, SketchNode>
  /** All nodes that come after a node, directly or through others. */
  readonly #later: ReadonlyMap<string, ReadonlySet<string>>
  /** Components that stand and fall with that of a node, as far as they were asked for. */
  readonly #fallen = new Map<string, ReadonlySet<string>>()
  readonly fate = new Map<string, Fate>()
  readonly #because = new Map<string, string>()
  readonly #attempt = new Map<string, number>()
  /** Its effect may be in force. */
  readonly owed = new Set<string>()
  readonly #running = new Set<string>()
  /** Analyses under way: they take nobody's place. */
  readonly #watching = new Set<string>()
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
  /** Attempts that this runner has performed. */
  readonly #performed = new Set<string>()
  /** Begun, and known to have failed or allowed to begin again. */
  readonly #answered = new Set<string>()
  #count = 0
  readonly traffic: TrafficLaws

  constructor(kase: Case) {
    this.#sketch = kase.sketch
    this.#nodes = new Map(kase.sketch.nodes.map(node => [node.key, node]))
    this.#later = laterOf(kase.sketch)
    this.traffic = new TrafficLaws(kase.sketch, {
      fate: this.fate,
      because: this.#because,
      owed: this.owed,
      rollbacks: this.#rollbacks,
      satisfied: key => this.#satisfied(key),
      ended: key => this.#ended(key),
      later: this.#later,
    })
  }

  /** A runner has come: what the one before had running is gone. */
  attached(): void {
    this.#running.clear()
    this.#watching.clear()
    this.#performed.clear()
    this.traffic.attached(this.#count)
  }

  /** The engine performs this attempt now. Returns what ends it. */
  starts(key: string, attempt: number): () => void {
    const target = targetOf(key)
    demand(
      this.#attempt.get(key) === attempt && this.fate.get(key) === 'begun',
      'intent first',
      () => `attempt ${attempt} of ${key} was performed without its intent on record`,
    )
    const intent = `${key}#${attempt}`
    demand(!this.#performed.has(intent), 'once', () => `one intent of ${intent} was performed twice`)
    this.#performed.add(intent)
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
    if (node.kind === 'promote') this.traffic.mayPromote(node)
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
        this.traffic.beginsAtOnce(event)
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
        this.traffic.mayJudge(event)
        if (!this.#ended(event.node) && !isRollback(event.node)) this.#fails(event)
        if (!this.#ended(event.node)) this.fate.set(event.node, 'failed')
        this.traffic.ends(event.node, { count: this.#count, at: event.at })
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
        if (event.by === 'cancel') this.traffic.halted(event.at)
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
    this.traffic.mayJudge(event)
    this.fate.set(key, 'succeeded')
    this.traffic.ends(key, { count: this.#count, at })
    if (isRollback(key)) {
      this.owed.delete(targetOf(key))
      return
    }
    if (event.how === 'observed' && event.attempt === 1) this.owed.delete(key)
    else this.owed.add(key)
    this.#done.push(key)
    const node = this.#nodes.get(key)!
    if (node.kind === 'analyse') this.traffic.passes(node, event.value as unknown as Evidence)
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
    this.traffic.ends(node, { count: this.#count, at: 0, because })
    this.fate.set(node, type === 'node-skipped' ? 'skipped' : 'cancelled')
    this.#because.set(node, because)
  }

  #failedOf(key: string): Failed {
    const node = this.#nodes.get(key)!
    const policy = this.#sketch.stages.find(stage => stage.name === stageOf(key))!.policy
    const names = matesOf(this.#sketch, node)
    const critical =
      names.size === 0 || this.#sketch.components.some(({ name, critical }) => critical && names.has(name))
    if (!critical || policy === 'continue-partial') return { key, rule: 'contain' }
    return { key, rule: policy }
  }

  #fails({ node, at }: { readonly node: string; readonly at: number }): void {
    const failed = this.#failedOf(node)
    this.#failed.push(failed)
    if (failed.rule !== 'contain') this.traffic.halted(at)
  }

  #plans(event: Extract<RunEvent, { type: 'rollback-planned' }>): void {
    const { scope } = event
    // What such a rollback left divided is decided after it, by nobody's word.
    if (event.because === 'person' && scope.kind !== 'traffic') {
      const place = scope.kind === 'to' ? this.#done.lastIndexOf(scope.node) : -1
      this.#persons.push(new Set(this.#done.filter(key => this.#done.lastIndexOf(key) <= place)))
    }
    for (const { key, undoes, after } of event.nodes) {
      demand(this.owed.has(undoes), 'nothing but what was done', () => `${key} takes back what was not done`)
      const freezer = this.#freezerOf(undoes, event.scope)
      demand(freezer === undefined, 'not through what freezes', () => `${key} goes through ${freezer}`)
      this.#rollbacks.set(key, { after, epoch: this.#epoch })
    }
  }

  #reopens(keys: readonly string[]): void {
    for (const key of keys) this.fate.delete(key)
    this.#failed = []
    this.#persons = []
    this.#cancelled = false
    this.traffic.reopened()
    this.#epoch += 1
  }

  /** Whether it has to be undone now that the run has finished as it did: the last word on that counts. */
  #due(key: string): boolean {
    const last = this.#persons.at(-1)
    const asked = last === undefined ? this.#byPolicy(this.#nodes.get(key)!) : !last.has(key)
    return asked || this.traffic.undecided(this.#nodes.get(key)!)
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
      return this.#fallenWith(failed.key).has(node.component ?? '')
    })
  }

  #fallenWith(key: string): ReadonlySet<string> {
    const known = this.#fallen.get(key)
    if (known !== undefined) return known
    const fallen = fallenWith(this.#sketch, matesOf(this.#sketch, this.#nodes.get(key)!))
    this.#fallen.set(key, fallen)
    return fallen
  }

  #haltRule(): keyof typeof FORCE | null {
    const rules = this.#failed.flatMap(({ rule }) => (rule === 'contain' ? [] : [rule]))
    return rules.sort((a, b) => FORCE[b] - FORCE[a])[0] ?? null
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
    this.traffic.judgeLocksteps()
  }

  #judgeOutcome(outcome: string, cause: string | null): void {
    const halt = this.#haltRule()
    const complete = this.#sketch.nodes.every(
      ({ key }) => !this.#undoable(key) || !this.#due(key) || !this.owed.has(key) || this.#isFrozen(key),
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

  /** Something that freezes was built on it, has begun, however that ended, and would have to be taken back with it. */
  #isFrozen(key: string): boolean {
    const undo = this.#nodes.get(key)!.undo
    if (undo !== 'step' && undo !== 'restore') return false
    return this.#sketch.nodes.some(
      node =>
        node.undo === 'freezes' &&
        this.owed.has(node.key) &&
        this.#due(node.key) &&
        this.#isBuiltOn(node.key, key),
    )
  }

  /** What a rollback of this scope may not go through on its way to a node. Traffic is decided whatever was built on it. */
  #freezerOf(key: string, scope: RollbackScope): string | undefined {
    const undo = this.#nodes.get(key)!.undo
    if (!['all', 'to'].includes(scope.kind) || (undo !== 'step' && undo !== 'restore')) return undefined
    const place = scope.kind === 'to' ? this.#done.lastIndexOf(scope.node) : -1
    const isMet = (freezer: string): boolean =>
      this.owed.has(freezer) &&
      (this.fate.get(freezer) !== 'succeeded' || this.#done.lastIndexOf(freezer) > place)
    return this.#sketch.nodes.find(
      node => node.undo === 'freezes' && isMet(node.key) && this.#isBuiltOn(node.key, key),
    )?.key
  }

  #isBuiltOn(key: string, ground: string): boolean {
    const open = [key]
    const seen = new Set<string>()
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === ground) return true
      if (seen.has(next)) continue
      seen.add(next)
      const { needs = [], after = [] } = this.#nodes.get(next)!
      open.push(...needs, ...after)
    }
    return false
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
      if (!this.#undoable(key) || !this.owed.has(key) || !this.#due(key) || this.#isFrozen(key)) continue
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
      const left = this.traffic.wins(this.#nodes.get(key)!) === 'canary' ? '2.0.0' : before
      demand(running === left, 'the world', () => `${key} is done and ${running} runs in its slot`)
    }
  }

  /** Its undoing was begun, and may have had half of its effect. */
  #tried(key: string): boolean {
    return [...this.#rollbacks.keys()].some(other => targetOf(other) === key)
  }
}
