/**
 * Every kill of a canary release that there is, and samples of them.
 */
import type { ChaosCase, Moment, RouterName, Victim } from './chaos-case.ts'
import { seeded } from './crash.ts'

const ORDERS = ['needs', 'lockstep'] as const
const COMPONENTS = ['back', 'front'] as const

const keyOf = (component: string, node: string): string => `production/${component}/${node}`

/** What a canary of [50, 100] does with one component, in its order; one instance does for both steps. */
const NODES = [
  'prepare',
  'canary/50/start',
  'canary/50/shift',
  'canary/50/analyse',
  'canary/100/shift',
  'canary/100/analyse',
  'canary/promote',
  'verify',
] as const

/** From when on a kill from outside finds something that the release has changed or is changing. */
const OUTSIDE: readonly Moment[] = COMPONENTS.flatMap(component => [
  { node: keyOf(component, 'canary/50/start'), at: 'started' } as const,
  { node: keyOf(component, 'canary/50/start'), at: 'done' } as const,
  { node: keyOf(component, 'canary/50/shift'), at: 'started' } as const,
  { node: keyOf(component, 'canary/50/shift'), at: 'done' } as const,
  { node: keyOf(component, 'canary/50/analyse'), at: 'measured' } as const,
  { node: keyOf(component, 'canary/100/analyse'), at: 'measured' } as const,
  { node: keyOf(component, 'canary/promote'), at: 'started' } as const,
  { node: keyOf(component, 'canary/promote'), at: 'done' } as const,
])

/** The canary's instances are killed while they are that. */
const isWhileCanary = ({ node, at }: Moment): boolean =>
  node.endsWith('/start') ? at === 'done' : !(node.endsWith('/promote') && at === 'done')

/** The last component's promotion is followed by nothing that would keep the run from its end. */
const isWhileRunning = ({ node, at }: Moment): boolean =>
  node !== keyOf('front', 'canary/promote') || at === 'started'

const around = (node: string): readonly Moment[] => [
  { node, at: 'effect:before' },
  { node, at: 'effect:after' },
]

/** Points at which a runner dies in a release that goes well. */
const wellMoments = (order: 'needs' | 'lockstep'): readonly Moment[] =>
  COMPONENTS.flatMap(component => [
    ...NODES.flatMap(node => around(keyOf(component, node))),
    ...(order === 'lockstep' ? around(keyOf(component, 'canary/carry')) : []),
  ])

/**
 * Points at which a runner dies while it takes back what it did, `front` having failed in its first step. In the order
 * of needs `back` has been promoted by then; in lockstep it stands where `front` does.
 */
const backMoments = (order: 'needs' | 'lockstep'): readonly Moment[] => {
  const beside = ['canary/50/shift', 'canary/50/start']
  const front = order === 'needs' ? beside : [...beside, 'canary/carry']
  const back =
    order === 'needs' ? ['canary/promote', 'canary/100/shift', ...beside] : [...beside, 'canary/carry']
  return [
    ...around(keyOf('front', 'canary/50/analyse')),
    ...front.flatMap(node => around(`rollback/1/${keyOf('front', node)}`)),
    ...back.flatMap(node => around(`rollback/1/${keyOf('back', node)}`)),
  ]
}

/**
 * Points from which on traffic is divided, or may be. In lockstep only: a guard takes back what is divided, and where
 * each component goes alone, one that has been promoted stays so.
 */
const DIVIDED: readonly Moment[] = COMPONENTS.flatMap(component =>
  [
    'canary/50/shift',
    'canary/50/analyse',
    'canary/100/shift',
    'canary/100/analyse',
    'canary/promote',
  ].flatMap(node => around(keyOf(component, node))),
).filter(({ node, at }) => node !== keyOf('front', 'canary/promote') || at === 'effect:before')

const inOrders = (
  router: RouterName,
  momentsOf: (order: 'needs' | 'lockstep') => readonly Moment[],
  more: { readonly victim: Victim; readonly version: 'good' | 'breaking' },
): readonly ChaosCase[] =>
  ORDERS.flatMap(order => momentsOf(order).map(moment => ({ router, order, moment, ...more })))

/** All cases on a router, by what is killed. */
export function matrixOf(router: RouterName): Readonly<Record<string, readonly ChaosCase[]>> {
  const outside = (victim: Victim, which: (moment: Moment) => boolean): readonly ChaosCase[] =>
    inOrders(router, () => OUTSIDE.filter(which), { victim, version: 'good' })
  const routers: readonly Victim[] = router === 'gateway' ? ['router'] : ['worker', 'master', 'router']
  return {
    runner: inOrders(router, wellMoments, { victim: 'runner', version: 'good' }),
    'runner, taking back': inOrders(router, backMoments, { victim: 'runner', version: 'breaking' }),
    'runner and router': inOrders(router, wellMoments, { victim: 'runner and router', version: 'good' }),
    'runner, and nobody resumes': DIVIDED.map(moment => ({
      router,
      order: 'lockstep',
      version: 'good',
      victim: 'runner',
      moment,
      end: 'guard',
    })),
    canary: outside('canary', isWhileCanary),
    ...Object.fromEntries(routers.map(victim => [victim, outside(victim, isWhileRunning)])),
    // HAProxy shows Prometheus nothing that tells the sides of a component apart.
    ...(router === 'gateway' ? { prometheus: outside('prometheus', isWhileRunning) } : {}),
  }
}

export interface Sample {
  readonly seed: number
  readonly each: number
  /** Kinds that nothing is drawn of. */
  readonly without?: readonly string[]
}

/** So many of each kind, drawn by lot: the same ones for a seed. */
export function sampleOf(router: RouterName, { seed, each, without = [] }: Sample): readonly ChaosCase[] {
  const random = seeded(seed)
  return Object.entries(matrixOf(router)).flatMap(([kind, cases]) => {
    if (without.includes(kind)) return []
    const left = [...cases]
    return Array.from(
      { length: Math.min(each, left.length) },
      () => left.splice(Math.floor(random() * left.length), 1)[0]!,
    )
  })
}
