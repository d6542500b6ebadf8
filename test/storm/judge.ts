/**
 * What a run has done, held against what its record says that it did.
 *
 * Boundary: reads the journal's events, the plan and what the effects wrote down outside of the state; shares no code
 * with the engine. The rules for what starts, ends and is taken back are those of test/properties/laws.ts.
 *
 * repeated, each time that
 *  R1. something was performed more often than its intents are on record,
 *  R2. something was performed after its success was on record,
 *  R3. a step that can be observed, or of which a person had to speak, was performed twice,
 *  R4. a runner did something after a later runner had,
 *  R5. a command was performed while an earlier performance of it still ran,
 *  R6. an instance was started twice.
 * lost, each time that
 *  L1. something succeeded by the record and was not done,
 *  L2. something is not taken back that the policy promised to, or is although nobody asked for it,
 *  L3. the platform does not run what the record says,
 *  L4. a wait was shorter than it was asked to be, counted from the end of what came before it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import type { Plan, PlanNode } from '../../src/plan/plan.ts'
import type { RunEvent } from '../../src/run/events.ts'
import type { Case } from '../properties/case.ts'
import { Broken, Judge } from '../properties/laws.ts'
import type { SketchNode } from '../properties/sketch.ts'
import type { TestProject } from '../rig/project.ts'
import { CLUSTER, componentsOf, ENVIRONMENT } from './definition.ts'
import type { Driven } from './drive.ts'
import type { StormCase } from './weather.ts'

export interface Verdict {
  readonly effects: number
  readonly repeated: readonly string[]
  readonly lost: readonly string[]
}

interface Line {
  readonly word: string
  readonly name: string
  readonly by: number
  readonly at: number
}

/** Judges a run that has ended. */
export async function judge(
  project: TestProject,
  kase: StormCase,
  { run, events }: Driven,
): Promise<Verdict> {
  const plan = JSON.parse(readFileSync(join(project.folderOf(run), 'plan.json'), 'utf8')) as Plan
  const lines = linesOf(project)
  const starts = project.lines('starts.log')
  const followed = follow(plan, events)
  const steps = plan.nodes.filter(({ operation }) => ['step', 'gate'].includes(operation.kind))
  const of = (key: string): readonly Line[] => lines.filter(({ name }) => name === nameOf(key))
  return {
    effects: lines.filter(({ word }) => word !== 'did').length + starts.length,
    repeated: [
      ...steps.flatMap(node => repeatedOf(node, of(node.key), events)),
      ...goneBack(
        lines,
        new Set(steps.filter(({ operation }) => operation.kind === 'step').map(({ key }) => nameOf(key))),
      ),
      ...startedTwice(kase, starts),
    ],
    lost: [
      ...shortened(plan, events),
      ...(followed.broken ?? [
        ...steps.flatMap(node => lostOf(node, of(node.key), events, followed.judge)),
        ...(await misplaced(project, plan, followed.judge)),
      ]),
    ],
  }
}

const nameOf = (key: string): string => key.split('/').at(-1)!

const linesOf = (project: TestProject): readonly Line[] =>
  project.lines('effects.log').map(text => {
    const [word = '', name = '', by, at] = text.split(' ')
    return { word, name, by: Number(by), at: Number(at) }
  })

// ── by the record alone ─────────────────────────────────────────────────────────────────────────

interface Followed {
  readonly judge: Judge
  /** null: it keeps the laws. */
  readonly broken: readonly string[] | null
}

/** Follows the record by the laws. */
function follow(plan: Plan, events: readonly RunEvent[]): Followed {
  const law = new Judge({ sketch: sketchOf(plan) } as Case)
  const running = new Map<string, () => void>()
  try {
    for (const event of events) {
      if (event.type === 'runner-attached') law.attached()
      if ('node' in event && event.type !== 'node-started') {
        running.get(event.node)?.()
        running.delete(event.node)
      }
      law.observe(event)
      if (event.type === 'node-started') running.set(event.node, law.starts(event.node, event.attempt))
    }
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    return { judge: law, broken: [`the record breaks a law: ${error.message}`] }
  }
  return { judge: law, broken: null }
}

const sketchOf = (plan: Plan): Case['sketch'] => ({
  concurrency: plan.concurrency,
  components: plan.components.map(({ name, critical, needs }) => ({
    name,
    critical,
    needs: needs.map(need => need.component),
  })),
  stages: plan.stages,
  nodes: plan.nodes.map(sketched),
})

function sketched({ key, needs, after, component, undo, operation }: PlanNode): SketchNode {
  const redo =
    operation.kind !== 'step'
      ? null
      : operation.idempotent
        ? 'idempotent'
        : operation.observable
          ? 'observable'
          : null
  return {
    key,
    kind: operation.kind,
    needs,
    after,
    ...(component !== undefined && { component }),
    ...((undo.kind === 'step' || undo.kind === 'restore' || undo.kind === 'irreversible') && {
      undo: undo.kind === 'irreversible' && undo.freezes === true ? 'freezes' : undo.kind,
    }),
    ...(redo !== null && { redo }),
    // How long it waited is judged here (L4): the laws count from its own record, which comes a moment late.
    ...(operation.kind === 'wait' && { time: 0 }),
  }
}

// ── what was done ───────────────────────────────────────────────────────────────────────────────

function repeatedOf(node: PlanNode, lines: readonly Line[], events: readonly RunEvent[]): readonly string[] {
  const found: string[] = []
  for (const [word, keys] of [
    ['do', [node.key]],
    ['undo', undoingsOf(node, events)],
  ] as const) {
    const done = lines.filter(line => line.word === word)
    const intents = events.filter(event => event.type === 'node-started' && keys.includes(event.node)).length
    if (done.length > intents) found.push(`R1 ${word} ${node.key}: ${done.length} times, ${intents} intents`)
    const success = events.find(event => event.type === 'node-succeeded' && keys.includes(event.node))
    const late = success === undefined ? [] : done.filter(({ at }) => at > success.at)
    if (late.length > 0) found.push(`R2 ${word} ${node.key}: after its success was on record`)
  }
  const { operation } = node
  const performed = lines.filter(({ word }) => word === 'do')
  const single = operation.kind === 'step' && !operation.idempotent
  if (single && performed.length > 1) found.push(`R3 ${node.key}: ${performed.length} times`)
  if (operation.kind === 'gate') found.push(...overlapping(node.key, lines))
  return found
}

const undoingsOf = ({ key }: PlanNode, events: readonly RunEvent[]): readonly string[] =>
  events.flatMap(event =>
    event.type === 'rollback-planned'
      ? event.nodes.filter(({ undoes }) => undoes === key).map(node => node.key)
      : [],
  )

/** A command is known by its process: what an earlier one writes after a later one has begun was still running. */
function overlapping(key: string, lines: readonly Line[]): readonly string[] {
  let current = -1
  for (const { word, by } of lines) {
    if (word === 'do') current = by
    else if (by !== current) return [`R5 ${key}: two of its commands ran at one time`]
  }
  return []
}

function goneBack(lines: readonly Line[], steps: ReadonlySet<string>): readonly string[] {
  let highest = 0
  for (const { name, by, word } of lines) {
    if (!steps.has(name)) continue
    if (by < highest) return [`R4 ${word} ${name}: by runner ${by}, after runner ${highest} had begun`]
    highest = by
  }
  return []
}

function startedTwice(kase: StormCase, starts: readonly string[]): readonly string[] {
  const sound = componentsOf(kase).filter(({ broken }) => !broken)
  return sound.flatMap(({ name, instances }) =>
    Array.from({ length: instances }, (_, slot) => `${name} ${slot}`)
      .filter(start => starts.filter(line => line === start).length > 1)
      .map(start => `R6 the instance ${start} was started more than once`),
  )
}

function lostOf(
  node: PlanNode,
  lines: readonly Line[],
  events: readonly RunEvent[],
  law: Judge,
): readonly string[] {
  const found: string[] = []
  const did = lines.some(({ word }) => word === 'did')
  const succeeded = events.some(event => event.type === 'node-succeeded' && event.node === node.key)
  if (succeeded && !did) found.push(`L1 ${node.key}: it succeeded by the record and was not done`)
  if (node.undo.kind !== 'step') return found
  const last = lines.findLast(({ word }) => word !== 'do')?.word
  const tried = undoingsOf(node, events).length > 0
  if (!law.owed.has(node.key) && lines.length > 0 && last !== 'undo') {
    found.push(`L2 ${node.key}: it is taken back by the record and still in force`)
  }
  if (!tried && lines.some(({ word }) => word === 'undo'))
    found.push(`L2 ${node.key}: taken back, and nobody asked`)
  return found
}

function shortened(plan: Plan, events: readonly RunEvent[]): readonly string[] {
  const ends = new Map<string, number>()
  let begun = Number.POSITIVE_INFINITY
  for (const event of events) {
    if (event.type === 'run-started') begun = event.at
    if (event.type === 'node-succeeded') ends.set(event.node, event.at)
  }
  return plan.nodes.flatMap(({ key, operation, needs, after }) => {
    const end = ends.get(key)
    if (operation.kind !== 'wait' || end === undefined) return []
    const from = Math.max(begun, ...[...needs, ...after].map(before => ends.get(before) ?? 0))
    return end - from >= operation.duration ? [] : [`L4 ${key}: ${end - from} of ${operation.duration} ms`]
  })
}

/** What runs in each slot, against what the record says. */
async function misplaced(project: TestProject, plan: Plan, law: Judge): Promise<readonly string[]> {
  const found: string[] = []
  const platform = localPlatform({ home: project.home, cluster: CLUSTER })
  for (const { key, operation, component } of plan.nodes) {
    if (operation.kind !== 'replace') continue
    const { instances } = await platform.observe(ENVIRONMENT, component!)
    const here = instances.filter(({ slot }) => slot >= operation.from && slot < operation.to)
    const sound = here.filter(
      ({ revision, healthy, routed }) => revision.version === '2.0.0' && healthy && routed,
    )
    const wanted = operation.to - operation.from
    if (!law.owed.has(key) && here.length > 0)
      found.push(`L3 ${key}: it is not in force, and an instance runs`)
    if (law.owed.has(key) && law.fate.get(key) === 'succeeded' && sound.length < wanted) {
      found.push(`L3 ${key}: it succeeded, and ${sound.length} of ${wanted} instances run`)
    }
  }
  return found
}
