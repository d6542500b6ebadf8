/**
 * What the local platform can do about a component that is not as it should be.
 *
 *     restart         an instance of the right revision that has died or does not answer: replaced in its place
 *     configuration   an instance that runs something else, or the right files started otherwise: brought over
 *     routing         an instance that gets no requests, traffic that is divided, a router that has died
 *     state           what nobody has asked for: instances beside the stable ones, and records of what has gone
 *
 * Boundary: each brings about what is expected by what a deployment does too, so that no request is lost and every fence
 * is obeyed; see the contract in src/run/recovery.ts.
 */
import { ReleaseError } from '../../../../src/errors.ts'
import { canonicalJson } from '../../../../src/plan/canonical.ts'
import { ALL_STABLE, type Revision } from '../../../../src/plan/plan.ts'
import type { Desired, Recovery, RecoveryContext } from '../../../../src/run/ports.ts'
import type { Problem } from '../../../../src/run/validation.ts'
import { assertFence } from './component-lock.ts'
import { convergeSlots } from './converge.ts'
import { readRecords } from './instance-records.ts'
import { placeOf, type Site, siteOf, type World } from './world.ts'

type ProblemKind = Problem['kind']

export const recoveriesOf = (world: World): readonly Recovery[] => [
  recovery(world, 'restart', ['missing', 'not-running', 'not-healthy'], async (site, problem, context) => {
    const { slot, revision } = slotted(problem)
    await bring(site, { slot, revision }, context)
    return `${revision.version} is healthy in slot ${slot} again`
  }),
  recovery(world, 'configuration', ['other-revision'], async (site, problem, context) => {
    const { slot, revision } = slotted(problem)
    await bring(site, { slot, revision }, context)
    return `slot ${slot} runs ${revision.version} as it should`
  }),
  recovery(world, 'routing', ['not-routed', 'traffic-divided'], mendRouting),
  recovery(world, 'state', ['left-over'], clear),
]

type Mend = (site: Site, problem: Problem, context: RecoveryContext) => Promise<string>

const recovery = (world: World, name: string, kinds: readonly ProblemKind[], mend: Mend): Recovery => ({
  name,
  isApplicable: problem => kinds.includes(problem.kind),
  apply: (problem, context) => mend(siteOf(world, problem.environment, problem.component), problem, context),
})

/** Of a problem that is one slot's. */
const slotted = (problem: Problem): { readonly slot: number; readonly revision: Revision } => {
  if ('revision' in problem) return problem
  throw new Error(`${problem.kind} is no slot's`)
}

const bring = (
  site: Site,
  { slot, revision }: { readonly slot: number; readonly revision: Revision | null },
  context: RecoveryContext,
  side: Desired['side'] = 'stable',
): Promise<void> =>
  convergeSlots(
    site,
    {
      environment: site.environment,
      component: site.component,
      side,
      from: slot,
      to: slot + 1,
      revision,
      maxUnavailable: 0,
    },
    context,
  )

/** The router is started if it has died, is told what should be, and is read back. */
async function mendRouting(site: Site, problem: Problem, context: RecoveryContext): Promise<string> {
  await site.router.address()
  if (problem.kind === 'not-routed') await bring(site, slotted(problem), context)
  const gone = await routesToNobody(site)
  const traffic = problem.kind === 'traffic-divided' ? { traffic: ALL_STABLE } : {}
  if (gone.length > 0 || 'traffic' in traffic) {
    await assertFence(placeOf(site), context.fence)
    const { component } = site
    await site.router.change({ component, fence: context.fence, add: [], remove: gone, ...traffic })
  }
  const now = await site.router.routing(site.component)
  if (problem.kind !== 'traffic-divided') return `slot ${slotted(problem).slot} gets requests again`
  if (canonicalJson(now.traffic) === canonicalJson(ALL_STABLE)) return 'all requests go to the stable side'
  throw new ReleaseError(
    'traffic-not-as-asked',
    `The router of ${site.environment} goes on dividing the requests of ${site.component}.`,
    { hint: 'Somebody else changes it at the same time, or it cannot do it: look at its log.' },
  )
}

/** Tokens that the router sends requests to, and of which no instance is on record. */
async function routesToNobody(site: Site): Promise<readonly string[]> {
  const [{ routes }, records] = await Promise.all([
    site.router.routing(site.component),
    readRecords(site.folders.instances, site.component),
  ])
  const known = new Set(records.map(({ token }) => token))
  return routes.map(({ instance }) => instance).filter(instance => !known.has(instance))
}

/** A second one in a slot goes as that slot is brought to what it should run; everything else goes by itself. */
async function clear(site: Site, problem: Problem, context: RecoveryContext): Promise<string> {
  if (problem.kind !== 'left-over') throw new Error(`${problem.kind} is nothing that is left over`)
  const { side, slot, version } = problem
  const meant = side === 'stable' ? context.expected.slots.find(each => each.slot === slot) : undefined
  await bring(site, { slot, revision: meant?.revision ?? null }, context, side)
  return `${version} is gone from ${side === 'stable' ? 'slot' : side} ${slot}`
}
