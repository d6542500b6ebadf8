/**
 * What happened in how many cases: a law says little about what the generator never makes.
 */
import type { Case } from './case.ts'
import type { Played } from './play.ts'

/** Whether it happened in a case that was played. */
const SIGNS = {
  crashed: ({ crashes }) => crashes > 0,
  resumed: ({ runners }) => runners > 1,
  failed: ({ events }) => events.some(({ type }) => type === 'node-failed'),
  retried: ({ events }) => events.some(({ type }) => type === 'node-retrying'),
  'took back': ({ events }) =>
    events.some(event => event.type === 'rollback-planned' && event.nodes.length > 0),
  'took back for a person': ({ events }) =>
    events.some(event => event.type === 'rollback-planned' && event.because === 'person'),
  reopened: ({ events }) => events.some(({ type }) => type === 'run-reopened'),
  'was cancelled': ({ events }) => events.some(event => event.type === 'stop-asked' && event.by === 'cancel'),
  'was approved': ({ events }) => events.some(({ type }) => type === 'approval-given'),
  'was told what became of a step': ({ events }) =>
    events.some(
      event => event.type === 'node-rerun' || (event.type === 'node-succeeded' && event.how === 'given'),
    ),
  'divided traffic': (played, kase) => has(played, kase, 'shift'),
  'promoted a canary': (played, kase) => has(played, kase, 'promote'),
  'divided traffic in lockstep': (played, kase) =>
    has(played, kase, 'shift', ({ lockstep }) => lockstep !== undefined),
  'kept what was frozen': ({ events }) =>
    events.some(
      event =>
        event.type === 'rollback-planned' && event.kept.some(({ reason }) => reason.startsWith('frozen')),
    ),
  'mirrored requests': (played, kase) => has(played, kase, 'shift', ({ trial }) => trial === 'mirror'),
  'decided an experiment': (played, kase) =>
    has(played, kase, 'promote', ({ decidedBy }) => decidedBy !== undefined),
  stop: (_, kase) => follows(kase, 'stop'),
  'rollback-all': (_, kase) => follows(kase, 'rollback-all'),
  'rollback-dependents': (_, kase) => follows(kase, 'rollback-dependents'),
  'continue-partial': (_, kase) => follows(kase, 'continue-partial'),
} satisfies Readonly<Record<string, (played: Played, kase: Case) => boolean>>

export type Reach = Readonly<Record<keyof typeof SIGNS, number>>

type Node = Case['sketch']['nodes'][number]

/** A node of the kind succeeded. */
function has(
  { events }: Played,
  { sketch }: Case,
  kind: Node['kind'],
  isMeant: (node: Node) => boolean = () => true,
): boolean {
  const keys = new Set(sketch.nodes.filter(node => node.kind === kind && isMeant(node)).map(({ key }) => key))
  return events.some(event => event.type === 'node-succeeded' && keys.has(event.node))
}

const follows = ({ sketch }: Case, policy: string): boolean =>
  sketch.stages.some(stage => stage.policy === policy)

const NAMES = Object.keys(SIGNS) as readonly (keyof Reach)[]

const each = (count: (name: keyof Reach) => number): Reach =>
  Object.fromEntries(NAMES.map(name => [name, count(name)])) as Reach

export const noReach = (): Reach => each(() => 0)

export const addReach = (reach: Reach, kase: Case, played: Played): Reach =>
  each(name => reach[name] + (SIGNS[name](played, kase) ? 1 : 0))
