/**
 * Lowering of strategies that divide traffic: their phases become nodes, each a checkpoint.
 *
 *     prepare ─▶ start ─▶ shift ─▶ analyse ─▶ (approval) ─▶ … next phase … ─▶ promote ─▶ verify
 *                            └──────────▶ background, until the last phase has ended ──▶┘
 *
 * Role: one component alone goes through its phases one after the other; lockstep.ts takes many through them together.
 */
import type { CanaryModel } from '../definition/model.ts'
import { ALL_STABLE, type Millis, type Retry } from '../plan/plan.ts'
import { durationText } from '../plan/render/wording.ts'
import { besideOf, type Course, courseOf, type Placed } from './course.ts'
import type { Flow, Lowering, NodeDraft } from './lower.ts'
import { lowerAnalysis } from './metrics.ts'
import { type First, type Part, partFields } from './part.ts'
import type { Phase } from './phases.ts'

const MINUTE: Millis = 60_000
const SHIFT_TIMEOUT: Millis = MINUTE
/** A router that was killed is there again in a moment: what is asked of it may be asked again. */
const SHIFT_RETRY: Retry = { limit: 3, delay: 500, maxDelay: 4000 }

/** One component through all phases; returns the key of its promotion. */
export function lowerProgressive(lowering: Lowering, place: Placed, part: Part, first: First): string {
  const course = courseOf(lowering, place, null)
  let flow: First = { needs: [part.prepare, ...first.needs], after: first.after }
  let firstShift: string | null = null
  let running = { canaries: 0, baselines: 0 }
  for (const phase of course.phases) {
    const started = startPhase(lowering, course, { part, phase, running }, flow)
    running = started.running
    const shifted = shift(lowering, course, part, phase, started)
    firstShift ??= shifted
    const watched = watch(lowering, course, { part, phase, name: `${part.base}/${strategyName(course)}` }, [
      shifted,
    ])
    flow = { needs: [watched], after: [] }
    if (phase.approval !== null) {
      const where = `${part.component.name} at ${phase.name} %`
      flow = {
        needs: [
          approve(lowering, course, phase.approval, {
            base: phaseBase(course, part, phase),
            where,
            needs: flow.needs,
            part,
          }),
        ],
        after: [],
      }
    }
  }
  const background = watchAll(lowering, course, part, { from: firstShift!, until: flow.needs[0]! })
  return finish(lowering, course, part, [...flow.needs, ...background])
}

const strategyName = ({ strategy }: Course): string => strategy.kind

/** Of what all of a lockstep share, and otherwise of what is the part's own. */
const sharedFields = (course: Course, part: Part | null) =>
  course.lockstep === null ? (part === null ? {} : partFields(course, part)) : { lockstep: course.lockstep }

const phaseBase = (course: Course, part: Part, phase: Phase): string =>
  `${part.base}/${strategyName(course)}/${phase.name}`

const flowOf = ({ needs, after }: First): Flow => ({ needs, after, deployed: [] })

function add(lowering: Lowering, course: Course, draft: NodeDraft, flow: First): string {
  lowering.add(draft, flowOf(flow), course.item.at)
  return draft.key
}

/** One node for many. */
export function join(lowering: Lowering, key: string, title: string, needs: readonly string[]): string {
  if (needs.length === 1) return needs[0]!
  lowering.add({ key, title, timeout: null, operation: { kind: 'join' } }, flowOf({ needs, after: [] }))
  return key
}

interface Running {
  readonly canaries: number
  readonly baselines: number
}

interface PhasePart {
  readonly part: Part
  readonly phase: Phase
  readonly running: Running
}

/** As many instances as the phase wants beside the stable ones; nothing where they run already. */
export function startPhase(
  lowering: Lowering,
  course: Course,
  { part, phase, running }: PhasePart,
  flow: First,
): First & { readonly running: Running } {
  const canaries = Math.max(running.canaries, phase.canaries(part.instances))
  const baselines = Math.max(running.baselines, phase.baselines(part.instances))
  const started = [
    ...startSide(
      lowering,
      course,
      { part, phase, side: 'canary', from: running.canaries, to: canaries },
      flow,
    ),
    ...startSide(
      lowering,
      course,
      { part, phase, side: 'baseline', from: running.baselines, to: baselines },
      flow,
    ),
  ]
  const next = { canaries, baselines }
  return started.length === 0 ? { ...flow, running: next } : { needs: started, after: [], running: next }
}

interface SidePart {
  readonly part: Part
  readonly phase: Phase
  readonly side: 'canary' | 'baseline'
  readonly from: number
  readonly to: number
}

function startSide(
  lowering: Lowering,
  course: Course,
  { part, phase, side, from, to }: SidePart,
  flow: First,
): readonly string[] {
  if (to <= from) return []
  const { component, revision, prepare } = part
  const count = to - from
  const which = side === 'canary' ? component.version : 'the old version'
  const key = `${phaseBase(course, part, phase)}/${side === 'canary' ? 'start' : 'baseline'}`
  const draft: NodeDraft = {
    ...partFields(course, part),
    key,
    title: `${component.name}: start ${count} × ${which} as ${side}`,
    timeout: course.deadline,
    undo: { kind: 'remove' },
    operation: {
      kind: 'start',
      side,
      revision: side === 'canary' ? revision : null,
      from,
      to,
      prepared: prepare,
    },
  }
  return [add(lowering, course, draft, flow)]
}

export function shift(lowering: Lowering, course: Course, part: Part, phase: Phase, flow: First): string {
  const { component } = part
  const draft: NodeDraft = {
    ...partFields(course, part),
    key: `${phaseBase(course, part, phase)}/shift`,
    title: `${component.name}: ${phase.title(component.version)}`,
    timeout: SHIFT_TIMEOUT,
    retry: SHIFT_RETRY,
    undo: { kind: 'traffic' },
    operation: { kind: 'shift', traffic: phase.traffic },
  }
  return add(lowering, course, draft, { needs: flow.needs, after: flow.after })
}

/** The side is carried on; nothing goes to the canary yet. */
export function carry(lowering: Lowering, course: Course, part: Part, flow: First): string {
  const draft: NodeDraft = {
    ...partFields(course, part),
    key: `${part.base}/${strategyName(course)}/carry`,
    title: `${part.component.name}: requests carry their side`,
    timeout: SHIFT_TIMEOUT,
    retry: SHIFT_RETRY,
    undo: { kind: 'traffic' },
    operation: { kind: 'shift', traffic: { ...ALL_STABLE, carried: true } },
  }
  return add(lowering, course, draft, flow)
}

interface Watched {
  readonly part: Part
  readonly phase: Phase
  /** Of a wait that all share. */
  readonly name: string
}

/** The phase's analysis; a wait where nothing is measured; what came before where it takes no time either. */
export function watch(
  lowering: Lowering,
  course: Course,
  { part, phase, name }: Watched,
  needs: readonly string[],
): string {
  const { component } = part
  const { duration } = phase
  const analysis = lowerAnalysis(lowering, phase.analysis, {
    duration,
    environment: course.site.environment,
    ...besideOf(phase),
    decides: phase.decides,
    at: course.item.at,
  })
  const flow = { needs, after: [] }
  if (analysis.metrics.length === 0) {
    if (duration === 0)
      return needs.length === 1
        ? needs[0]!
        : join(lowering, `${name}/${component.name}/on`, 'all of these', needs)
    const key = course.lockstep === null ? `${name}/${phase.name}/wait` : `${name}/wait`
    const wait: NodeDraft = {
      ...sharedFields(course, part),
      key,
      title: `wait ${durationText(duration)}`,
      timeout: null,
      operation: { kind: 'wait', duration },
    }
    return add(lowering, course, wait, flow)
  }
  const decides = phase.decides === null ? null : analysis.metrics.at(-1)!.name
  const draft: NodeDraft = {
    ...partFields(course, part),
    key: `${phaseBase(course, part, phase)}/analyse`,
    title: `${component.name}: ${decides === null ? 'watch' : 'try'} ${component.version} for ${durationText(duration)}`,
    timeout: duration + analysis.patience + MINUTE,
    operation: {
      kind: 'analyse',
      targets: [targetOf(course, part)],
      ...analysis,
      duration,
      until: null,
      decides,
    },
  }
  return add(lowering, course, draft, flow)
}

const targetOf = ({ site }: Course, { component }: Part) =>
  ({ environment: site.name, component: component.name, side: 'canary', version: component.version }) as const

/** From the first shift to the end of the last phase. */
export function watchAll(
  lowering: Lowering,
  course: Course,
  part: Part,
  { from, until }: { readonly from: string; readonly until: string },
): readonly string[] {
  const background = (course.strategy as Partial<CanaryModel>).background ?? null
  if (background === null) return []
  const duration = course.phases.reduce((sum, phase) => sum + phase.duration, 0)
  const analysis = lowerAnalysis(lowering, background, {
    duration,
    environment: course.site.environment,
    baseline: false,
    stable: true,
    openEnded: true,
    at: course.item.at,
  })
  const { component } = part
  const draft: NodeDraft = {
    ...partFields(course, part),
    key: `${part.base}/${strategyName(course)}/background`,
    title: `${component.name}: watch ${component.version} all along`,
    timeout: null,
    operation: {
      kind: 'analyse',
      targets: [targetOf(course, part)],
      ...analysis,
      duration,
      until,
      decides: null,
    },
  }
  return [add(lowering, course, draft, { needs: [from], after: [] })]
}

/** Names an approval in the middle of a strategy; the same name for several places is told apart by the place. */
export function approve(
  lowering: Lowering,
  course: Course,
  approval: NonNullable<Phase['approval']>,
  place: {
    readonly base: string
    readonly where: string
    readonly needs: readonly string[]
    readonly part: Part | null
  },
): string {
  const name = `${approval.name} (${place.where})`
  const draft: NodeDraft = {
    key: `${place.base}/${approval.name}`,
    title: `approval: ${name}`,
    timeout: null,
    ...sharedFields(course, place.part),
    operation: { kind: 'approval', name, from: approval.from, expires: null, self: false },
  }
  return add(lowering, course, draft, { needs: place.needs, after: [] })
}

/** The canary becomes the stable side; a baseline is ended before. */
export function finish(lowering: Lowering, course: Course, part: Part, needs: readonly string[]): string {
  const { component, revision, instances, prepare } = part
  const baselines = course.phases.some(phase => phase.baselines(instances) > 0)
  const base = `${part.base}/${strategyName(course)}`
  const experiment = course.phases.find(phase => phase.decides !== null)
  const before = baselines
    ? [
        add(
          lowering,
          course,
          {
            ...partFields(course, part),
            key: `${base}/remove-baseline`,
            title: `${component.name}: end the baseline`,
            timeout: course.deadline,
            operation: { kind: 'remove', side: 'baseline' },
          },
          { needs, after: [] },
        ),
      ]
    : needs
  const draft: NodeDraft = {
    ...partFields(course, part),
    key: `${base}/promote`,
    title: `${component.name}: ${component.version} takes over`,
    timeout: course.deadline,
    retry: SHIFT_RETRY,
    undo: { kind: 'restore' },
    operation: {
      kind: 'promote',
      revision,
      instances,
      prepared: prepare,
      decidedBy: experiment === undefined ? null : `${base}/${experiment.name}/analyse`,
    },
  }
  return add(lowering, course, draft, { needs: [...new Set(before)], after: [] })
}
