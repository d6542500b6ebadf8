/**
 * Drives decide and evolve without an engine or a ground, and tells what happened a line at a time.
 *
 * What is performed ends in the order in which it was begun, one after the other, as the script says.
 */
import { type Command, decide } from '../../src/run/decide.ts'
import type { RunEvent, Unstamped } from '../../src/run/events.ts'
import { evolve } from '../../src/run/evolve.ts'
import { initialState, type RunState, setInFlight, type Work } from '../../src/run/state.ts'
import { planOf, type Sketch, type SketchNode } from '../properties/sketch.ts'

export interface Script {
  readonly only?: readonly string[]
  /** By key: how its attempts end, one after the other; those beyond succeed. */
  readonly ends?: Readonly<Record<string, readonly ('fail' | 'retry' | 'hang')[]>>
  /** Facts that come in once that many attempts have ended. */
  readonly meanwhile?: readonly { readonly after: number; readonly events: readonly Unstamped[] }[]
}

const failure = { code: 'made-to-fail', message: 'made to fail' }

export const node = (key: string, more: Partial<SketchNode> = {}): SketchNode => ({
  key,
  kind: 'step',
  needs: [],
  after: [],
  ...more,
})

export class Driver {
  readonly state: RunState
  readonly lines: string[] = []
  readonly #script: Script
  readonly #flying: { work: Work; attempt: number }[] = []
  readonly #calls = new Map<string, number>()
  #ended = 0
  #now = 0

  constructor(sketch: Sketch, script: Script = {}) {
    this.#script = script
    this.state = initialState(planOf(sketch))
    const only = script.only ?? null
    const run = { run: 'r', release: 'x', version: '1.0.0', plan: '', bundle: '', who: 'ann', only }
    evolve(this.state, { type: 'run-started', at: 0, ...run })
  }

  /** Goes on until nothing more can be done without somebody. */
  go(): this {
    for (let turn = 0; turn < 500; turn += 1) {
      const commands = decide(this.state, this.#now)
      if (!this.#carryOut(commands)) return this
      if (commands.length === 0 && !this.#endOne()) return this
    }
    throw new Error(`no end:\n${this.lines.join('\n')}`)
  }

  tell(...events: readonly Unstamped[]): this {
    for (const event of events) this.#fold(event)
    return this
  }

  /** False: nothing more is to be done now. */
  #carryOut(commands: readonly Command[]): boolean {
    for (const command of commands) {
      switch (command.type) {
        case 'record':
          this.tell(...command.events)
          break
        case 'perform':
          this.#fold({ type: 'node-started', node: command.work.key, attempt: command.attempt })
          this.#flying.push(command)
          break
        case 'conclude':
          this.tell(...command.events)
          break
        case 'cancel':
          this.#cancel(command.work)
          break
        case 'sleep':
          this.#now = Math.max(this.#now, command.until)
          setInFlight(this.state, command.work, false)
          break
        case 'ask':
          break
        case 'idle':
          if (this.#flying.length > 0 && this.#endOne()) break
          this.lines.push(`waits for ${command.waiting.join(', ')}`)
          return false
        case 'leave':
          this.lines.push('leaves')
          return false
        case 'finished':
          return false
      }
    }
    return true
  }

  #cancel(work: Work): void {
    const index = this.#flying.findIndex(one => one.work === work)
    if (index < 0) return
    this.#flying.splice(index, 1)
    this.#fold({ type: 'node-cancelled', node: work.key, because: this.#because() })
  }

  /** As the engine finds it: what stops everything, and otherwise what was contained last. */
  #because(): string {
    const { halt, stop, containments } = this.state
    return halt?.cause ?? (stop === 'cancel' ? 'cancel' : containments.at(-1)!.cause)
  }

  #endOne(): boolean {
    const index = this.#flying.findIndex(({ work }) => this.#next(work) !== 'hang')
    const [flying] = index < 0 ? [] : this.#flying.splice(index, 1)
    if (flying === undefined) return false
    const { work, attempt } = flying
    const end = this.#next(work)
    this.#calls.set(work.key, (this.#calls.get(work.key) ?? 0) + 1)
    const of = { node: work.key, attempt }
    if (end === 'fail') this.#fold({ type: 'node-failed', ...of, failure })
    else if (end === 'retry') this.#fold({ type: 'node-retrying', ...of, failure, until: this.#now + 1000 })
    else
      this.#fold({
        type: 'node-succeeded',
        ...of,
        value: null,
        summary: null,
        warning: null,
        how: 'performed',
      })
    this.#ended += 1
    for (const { after, events } of this.#script.meanwhile ?? [])
      if (after === this.#ended) this.tell(...events)
    return true
  }

  #next(work: Work): 'fail' | 'retry' | 'hang' | undefined {
    return this.#script.ends?.[work.key]?.[this.#calls.get(work.key) ?? 0]
  }

  #fold(event: Unstamped): void {
    evolve(this.state, { ...event, at: this.#now } as RunEvent)
    this.lines.push(lineOf(event))
  }
}

function lineOf(event: Unstamped): string {
  switch (event.type) {
    case 'node-started':
      return `${event.node} starts${event.attempt === 1 ? '' : ` again (${event.attempt})`}`
    case 'node-skipped':
    case 'node-cancelled':
      return `${event.node} ${event.type.slice('node-'.length)} because ${event.because}`
    case 'rollback-planned': {
      const kept = event.kept.length === 0 ? '' : `; stays: ${event.kept.map(one => one.node).join(', ')}`
      return `rollback ${event.rollback} because ${event.because}: ${event.nodes.map(one => one.undoes).join(', ') || 'nothing'}${kept}`
    }
    case 'run-finished':
      return `finished: ${event.outcome}${event.cause === null ? '' : ` because ${event.cause}`}`
    default:
      return 'node' in event ? `${event.node} ${event.type.replace('node-', '')}` : event.type
  }
}

export const story = (sketch: Sketch, script?: Script): string =>
  `\n${new Driver(sketch, script).go().lines.join('\n')}\n`
