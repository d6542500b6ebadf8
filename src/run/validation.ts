/**
 * What should run after a rollback, and how what runs differs from it.
 *
 * Role: the state that a journal says should be, held against what a platform observes. Boundary: pure; platforms mend
 * what is found here by their recoveries (ports.ts).
 *
 *  VA1. What was taken back is as the deployment's `prepare` found it; what was kept on purpose is as the run left it.
 *  VA2. What should have been taken back and was not is a difference, whoever failed at it.
 *  VA3. What was neither taken back nor kept on purpose, because nobody knows whether it happened, counts as not done.
 */
import { canonicalJson } from '../plan/canonical.ts'
import { ALL_STABLE, type Revision, type Sha256, type Side } from '../plan/plan.ts'
import type { Instance, Observed } from './ports.ts'
import type { RollbackState, RunState, Work } from './state.ts'

/** What should run of one component in one environment. */
export interface Expected {
  readonly environment: string
  readonly component: string
  readonly slots: readonly { readonly slot: number; readonly revision: Revision }[]
}

/** One way in which a component is not as it should be. */
export type Problem = {
  readonly environment: string
  readonly component: string
} & (
  | {
      /** The right revision, but: no process, or no answer to its health check; or nothing at all in its place. */
      readonly kind: 'not-running' | 'not-healthy' | 'missing'
      readonly slot: number
      readonly revision: Revision
    }
  /** Another revision, or the right files started otherwise; `found` says which. */
  | {
      readonly kind: 'other-revision'
      readonly slot: number
      readonly revision: Revision
      readonly found: string
    }
  | { readonly kind: 'not-routed'; readonly slot: number; readonly revision: Revision }
  | { readonly kind: 'traffic-divided' }
  /** An instance that should not be there: on another side, beyond the last slot, or a second one in its place. */
  | { readonly kind: 'left-over'; readonly side: Side; readonly slot: number; readonly version: string }
  /** Nobody could look. */
  | { readonly kind: 'not-observed'; readonly reason: string }
)

/** What was found when a rollback had ended. JSON; part of the journal. */
export interface Validation {
  readonly ok: boolean
  readonly components: readonly ValidatedComponent[]
  /** What was done about differences, in order. */
  readonly recoveries: readonly AppliedRecovery[]
}

export interface ValidatedComponent {
  readonly environment: string
  readonly component: string
  readonly ok: boolean
  /** What stands in every slot. */
  readonly runs: readonly {
    readonly slot: number
    readonly version: string
    readonly digest: Sha256
    readonly healthy: boolean
  }[]
  /** What is not as it should be, a sentence each without its full stop; none where it is all right. */
  readonly differs: readonly string[]
}

export interface AppliedRecovery {
  /** restart, configuration, routing, state. */
  readonly name: string
  readonly environment: string
  readonly component: string
  /** What it was tried for. */
  readonly problem: string
  /** mended: what it did has come to its end; whether that was enough is for the state to say. */
  readonly outcome: 'mended' | 'failed'
  /** What it did, or why it failed. */
  readonly detail: string
}

/** What should run where a rollback has been, by the journal. */
export function expectedAfter(state: RunState, rollback: RollbackState): readonly Expected[] {
  const touched = new Map<string, Place>()
  for (const { node } of rollback.works) {
    const { environment, component } = node
    if (environment === undefined || component === undefined) continue
    touched.set(`${environment}/${component}`, { environment, component })
  }
  const failed = state.rollbacks
    .filter(({ because }) => because === rollback.because)
    .flatMap(({ works }) => works.filter(({ status }) => status.type !== 'succeeded'))
  const meant = new Set(failed.map(({ node }) => node.key))
  return [...touched.values()].flatMap(place => expectedAt(state, place, meant) ?? [])
}

interface Place {
  readonly environment: string
  readonly component: string
}

/**
 * What should run there now, by the journal; null: the run has never looked what was there, and changed nothing. `meant`:
 * nodes that should have been taken back and were not.
 */
export function expectedAt(
  state: RunState,
  { environment, component }: Place,
  meant: ReadonlySet<string> = new Set(),
): Expected | null {
  const works = [...state.works.values()]
    .filter(
      ({ node, rollback }) =>
        rollback === null && node.environment === environment && node.component === component,
    )
    .sort((a, b) => a.doneOrder - b.doneOrder)
  const isDone = ({ status }: Work): boolean => status.type === 'succeeded'
  const first = works.find(work => work.node.operation.kind === 'prepare' && isDone(work))
  if (first === undefined) return null
  const slots = new Map(beforeOf(first).map(({ slot, revision }) => [slot, revision]))
  for (const work of works) if (isDone(work) && !work.undone && !meant.has(work.key)) putBy(work, slots)
  const sorted = [...slots].sort(([a], [b]) => a - b)
  return { environment, component, slots: sorted.map(([slot, revision]) => ({ slot, revision })) }
}

interface Prepared {
  readonly before: readonly { readonly slot: number; readonly revision: Revision }[]
}

const beforeOf = ({ value }: Work): Prepared['before'] => (value as unknown as Prepared | null)?.before ?? []

/** What a node of a deployment has made of the slots. */
function putBy({ node, value }: Work, slots: Map<number, Revision>): void {
  const { operation } = node
  switch (operation.kind) {
    case 'replace':
      for (let slot = operation.from; slot < operation.to; slot += 1) slots.set(slot, operation.revision)
      return
    case 'promote':
      if (isKeptStable(value)) return
      slots.clear()
      for (let slot = 0; slot < operation.instances; slot += 1) slots.set(slot, operation.revision)
      return
    case 'verify':
      for (const slot of slots.keys())
        if (slot >= operation.instances && isSame(slots, operation)) slots.delete(slot)
      return
    default:
      return
  }
}

/** An experiment that the old version won leaves its slots as they were. */
const isKeptStable = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && (value as { kept?: unknown }).kept === 'stable'

const isSame = (
  slots: ReadonlyMap<number, Revision>,
  { revision }: { readonly revision: Revision },
): boolean => slots.get(0)?.digest === revision.digest

/** How what runs differs from what should. */
export function problemsOf(expected: Expected, observed: Observed): readonly Problem[] {
  const { environment, component } = expected
  const place = { environment, component }
  const stable = Map.groupBy(
    observed.instances.filter(({ side }) => side === 'stable'),
    ({ slot }) => slot,
  )
  const problems: Problem[] = []
  for (const { slot, revision } of expected.slots) {
    const there = stable.get(slot) ?? []
    stable.delete(slot)
    const { problem, rest } = problemAt({ slot, revision }, there)
    if (problem !== null) problems.push({ ...place, ...problem })
    problems.push(...rest.map(instance => ({ ...place, ...leftOver(instance) })))
  }
  const beside = [...[...stable.values()].flat(), ...observed.instances.filter(i => i.side !== 'stable')]
  problems.push(...beside.map(instance => ({ ...place, ...leftOver(instance) })))
  if (canonicalJson(observed.traffic) !== canonicalJson(ALL_STABLE))
    problems.push({ ...place, kind: 'traffic-divided' })
  return problems
}

type Slotted = Problem extends infer P
  ? P extends Problem
    ? Omit<P, 'environment' | 'component'>
    : never
  : never

const leftOver = ({ side, slot, revision }: Instance): Slotted => ({
  kind: 'left-over',
  side,
  slot,
  version: revision.version,
})

/** The best of what stands in a slot is held against what should; the rest should not be there. */
function problemAt(
  { slot, revision }: Expected['slots'][number],
  there: readonly Instance[],
): { readonly problem: Slotted | null; readonly rest: readonly Instance[] } {
  const wanted = canonicalJson(revision)
  const rank = (instance: Instance): number =>
    (canonicalJson(instance.revision) === wanted ? 8 : 0) +
    (instance.healthy ? 4 : 0) +
    (instance.running ? 2 : 0) +
    (instance.routed ? 1 : 0)
  const [best, ...rest] = [...there].sort((a, b) => rank(b) - rank(a))
  if (best === undefined) return { problem: { kind: 'missing', slot, revision }, rest }
  if (canonicalJson(best.revision) !== wanted)
    return {
      problem: { kind: 'other-revision', slot, revision, found: differenceOf(revision, best.revision) },
      rest,
    }
  if (!best.running) return { problem: { kind: 'not-running', slot, revision }, rest }
  if (!best.healthy) return { problem: { kind: 'not-healthy', slot, revision }, rest }
  return { problem: best.routed ? null : { kind: 'not-routed', slot, revision }, rest }
}

/** `2.0.0 (0123456789ab)`, or in what the right files were started otherwise. */
function differenceOf(wanted: Revision, found: Revision): string {
  if (wanted.version !== found.version || wanted.digest !== found.digest)
    return `${found.version} (${found.digest.slice(0, 12)})`
  const parts = (['start', 'env', 'health'] as const).filter(
    part => canonicalJson(wanted[part]) !== canonicalJson(found[part]),
  )
  return `${found.version} with another ${parts.join(' and ')}`
}

/** A sentence for people, without its full stop. */
export function problemText(problem: Problem): string {
  switch (problem.kind) {
    case 'missing':
      return `nothing runs in slot ${problem.slot}, where ${problem.revision.version} should`
    case 'not-running':
      return `the process of ${problem.revision.version} in slot ${problem.slot} has gone`
    case 'not-healthy':
      return `${problem.revision.version} in slot ${problem.slot} does not answer its health check`
    case 'other-revision':
      return `slot ${problem.slot} runs ${problem.found}, where ${problem.revision.version} (${problem.revision.digest.slice(0, 12)}) should run`
    case 'not-routed':
      return `${problem.revision.version} in slot ${problem.slot} gets no requests`
    case 'traffic-divided':
      return 'its traffic is still divided'
    case 'left-over':
      return `${problem.version} is still there in ${problem.side === 'stable' ? 'slot' : problem.side} ${problem.slot}`
    case 'not-observed':
      return `nobody could see what runs: ${problem.reason}`
  }
}

/** What a component's look comes to. */
export const validatedComponent = (
  { environment, component }: Place,
  observed: Observed | null,
  problems: readonly Problem[],
): ValidatedComponent => ({
  environment,
  component,
  ok: problems.length === 0,
  runs: (observed?.instances ?? [])
    .filter(({ side }) => side === 'stable')
    .map(({ slot, revision, healthy }) => ({
      slot,
      version: revision.version,
      digest: revision.digest,
      healthy,
    })),
  differs: problems.map(problemText),
})
