/**
 * What a strategy that divides traffic goes through in one place, and whether it can be done there.
 *
 * Role: the phases and their time limits, found out once; progressive.ts and lockstep.ts make nodes of them.
 */
import { type Millis, ROUTER_CAPABILITIES, type RouterCapabilities } from '../plan/plan.ts'
import { type Beside, checkCompared, measuresAnything } from './compared.ts'
import type { CompileContext } from './context.ts'
import type { Lowering } from './lower.ts'
import { routerOf } from './metrics.ts'
import type { SiteDeploy } from './part.ts'
import { needsOf, type Phase, type Progressive, phasesOf } from './phases.ts'

const MINUTE: Millis = 60_000

export interface Course extends SiteDeploy {
  readonly strategy: Progressive
  readonly phases: readonly Phase[]
  readonly deadline: Millis
  /** Key of the deployment that shifts together; null: each component alone. */
  readonly lockstep: string | null
}

/** A deployment in one place whose strategy divides traffic. */
export type Placed = SiteDeploy & { readonly strategy: Progressive }

/** The phases, and the findings about them; `lockstep`: key of the deployment that shifts together, or null. */
export function courseOf(lowering: Lowering, place: Placed, lockstep: string | null): Course {
  const { strategy, item, site } = place
  const { context } = lowering
  const phases = phasesOf(context, { strategy, site, lockstep: lockstep !== null, at: item.at })
  checkRouter(lowering, place, phases)
  checkBesides(context, place, phases)
  checkMeasured(context, place, phases)
  const deadline = context.duration(strategy.progressDeadline, {
    name: 'the progress deadline',
    at: item.at,
    fallback: 10 * MINUTE,
  })
  return { ...place, phases, deadline, lockstep }
}

const WORDS: Readonly<Record<keyof RouterCapabilities, string>> = {
  weights: 'divide requests by weight',
  headers: 'send requests by a header',
  cookies: 'send requests by a cookie',
  sticky: 'keep a caller on one side',
  mirroring: 'mirror requests',
  carried: 'carry the side from hop to hop',
  latency: 'say how long answers took',
}

function checkRouter(lowering: Lowering, { item, site, strategy }: Placed, phases: readonly Phase[]): void {
  const { kind } = routerOf(site.environment)
  const lacking = needsOf(phases).filter(need => !ROUTER_CAPABILITIES[kind][need])
  if (lacking.length === 0) return
  lowering.context.report({
    code: 'router-cannot',
    message: `the strategy ${strategy.kind} asks the router of ${site.environment.name} to ${lacking.map(need => WORDS[need]).join(' and ')}, which ${kind === 'haproxy' ? 'HAProxy' : 'it'} cannot`,
    hint: 'Take another strategy, or the platform’s own gateway: on: local().',
    at: item.at,
    related: [{ message: `${site.environment.name} is defined here`, at: site.environment.at }],
  })
}

/** Of the strategy as it is written: a region whose weights leave nobody to compare with knows what it does. */
function checkBesides(context: CompileContext, { strategy, site }: Placed, phases: readonly Phase[]): void {
  if (site.weights !== null) return
  for (const { analysis } of phases)
    checkCompared(
      context,
      analysis.metrics,
      phases.filter(phase => phase.analysis === analysis).map(besideOf),
    )
  if (strategy.kind === 'canary' && strategy.background !== null)
    checkCompared(context, strategy.background.metrics, [{ baseline: false, stable: true }])
}

/** What is not measured goes on to all requests, and nobody would know. */
function checkMeasured(
  context: CompileContext,
  { strategy, site, item }: Placed,
  phases: readonly Phase[],
): void {
  // Of phases that could not be read it would be said as well.
  if (context.isFaulty(item.at)) return
  const background = strategy.kind === 'canary' ? strategy.background : null
  const blind = phases.filter(phase => {
    const beside = besideOf(phase)
    const isSeen = measuresAnything(phase.analysis, beside)
    return !isSeen && (background === null || !measuresAnything(background, { ...beside, baseline: false }))
  })
  if (blind.length === 0) return
  const where = site.weights === null ? site.environment.name : site.name
  const names = blind.map(({ name }) => (strategy.kind === 'canary' ? `${name} %` : name))
  const compares = [...blind.map(phase => phase.analysis), background].some(a => (a?.metrics.length ?? 0) > 0)
  context.report({
    severity: 'warning',
    code: 'measures-nothing',
    message: `the ${strategy.kind} to ${where} measures nothing in ${names.length === 1 ? 'its phase' : 'its phases'} ${names.join(', ')}: only the health of the instances can stop it there`,
    hint: compares
      ? "Nobody is left there to compare with: measure something against a threshold as well, as in errorRate().below('1%')."
      : "Say what has to hold: analysis: [errorRate().below('1%')].",
    at: item.at,
  })
}

/** Who gets requests in a phase beside the canary. */
export const besideOf = ({ traffic }: Phase): Beside => ({
  baseline: traffic.baseline > 0,
  stable: traffic.canary + traffic.baseline < 100,
})
