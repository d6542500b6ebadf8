/**
 * Lowering of a bake: what was deployed before it is watched, for a time and a number of requests.
 */
import type { AnalysisModel, CallSite, Value } from '../definition/model.ts'
import type { MeasureTarget, Millis } from '../plan/plan.ts'
import { durationText } from '../plan/render/wording.ts'
import { measuresAnything, NOBODY } from './compared.ts'
import type { Deployed, Flow, Lowering } from './lower.ts'
import { lowerAnalysis } from './metrics.ts'
import type { SiteModel } from './regions.ts'

const MINUTE: Millis = 60_000

export interface BakeDraft {
  readonly key: string
  readonly duration: Value<string>
  /** null: nothing is measured, it only waits. */
  readonly analysis: AnalysisModel | null
  readonly at: CallSite
  /** The places that the deployments before it went to; the first one's router and source of measures are taken. */
  readonly environments: readonly SiteModel[]
}

/** Adds the node and returns its key. */
export function lowerBake(lowering: Lowering, draft: BakeDraft, before: Flow): string {
  const { key, at, environments } = draft
  const duration = lowering.context.duration(draft.duration, { name: 'the bake', at, fallback: 0 })
  const environment = environments[0]?.environment
  const title = `bake ${durationText(duration)}`
  const asked = draft.analysis !== null && measuresAnything(draft.analysis, NOBODY)
  if (!asked || draft.analysis === null || environment === undefined) {
    if (asked) reportNothing(lowering, at)
    lowering.add({ key, title, timeout: null, operation: { kind: 'wait', duration } }, before, at)
    return key
  }
  const analysis = lowerAnalysis(lowering, draft.analysis, {
    duration,
    environment,
    ...NOBODY,
    at,
  })
  const targets = targetsOf(lowering, before.deployed, new Set(environments.map(site => site.name)))
  lowering.add(
    {
      key,
      title,
      timeout: duration + analysis.patience + MINUTE,
      operation: { kind: 'analyse', targets, ...analysis, duration, until: null, decides: null },
    },
    before,
    at,
  )
  return key
}

function targetsOf(
  lowering: Lowering,
  deployed: readonly Deployed[],
  places: ReadonlySet<string>,
): readonly MeasureTarget[] {
  const seen = new Map<string, MeasureTarget>()
  for (const { component, environment } of deployed) {
    if (!places.has(environment)) continue
    const { version } = lowering.target.components.get(component)!
    seen.set(`${environment}/${component}`, { environment, component, side: 'stable', version })
  }
  return [...seen.values()]
}

function reportNothing(lowering: Lowering, at: CallSite): void {
  lowering.context.report({
    code: 'bake-of-nothing',
    message: 'a bake watches what was deployed before it, and nothing was',
    hint: 'Put it after a deployment, or write .wait(…) for a pause.',
    at,
  })
}
