/**
 * A strategy that divides traffic, as phases: in each, instances are brought up, traffic is shifted, and what happens is watched.
 *
 * Reason: canary, blue-green, experiment and mirror differ in what their phases say, not in how phases become nodes;
 * so do one component alone and many in lockstep.
 */
import type {
  AnalysisModel,
  CallSite,
  CanaryModel,
  CanaryStepModel,
  MetricModel,
  StrategyModel,
  Value,
} from '../definition/model.ts'
import { ALL_STABLE, type Millis, type RouterCapabilities, SIDE_HEADER, type Traffic } from '../plan/plan.ts'
import type { CompileContext } from './context.ts'
import type { SiteModel } from './regions.ts'

export type Progressive = Exclude<StrategyModel, { kind: 'rolling' | 'all-at-once' }>

export interface Phase {
  /** Part of the nodes' keys: `25`, `switch`, `mirror`. */
  readonly name: string
  /** How many instances of the new version the component has in it, of `instances`. */
  readonly canaries: (instances: number) => number
  readonly baselines: (instances: number) => number
  readonly traffic: Traffic
  /** `5 % to 3.0.0` */
  readonly title: (version: string) => string
  readonly duration: Millis
  readonly analysis: AnalysisModel
  /** The metric that decides an experiment. */
  readonly decides: MetricModel | null
  readonly approval: CanaryStepModel['approval']
}

export interface PhaseInput {
  readonly strategy: Progressive
  readonly site: SiteModel
  readonly lockstep: boolean
  readonly at: CallSite
}

export const isProgressive = (strategy: StrategyModel): strategy is Progressive =>
  strategy.kind !== 'rolling' && strategy.kind !== 'all-at-once'

const all = (instances: number): number => instances
const none = (): number => 0

export function phasesOf(context: CompileContext, input: PhaseInput): readonly Phase[] {
  const { strategy, lockstep, at } = input
  const base: Traffic = { ...ALL_STABLE, carried: lockstep }
  const time = (value: Value<string>, name: string): Millis =>
    context.duration(value, { name, at, fallback: 0 })
  switch (strategy.kind) {
    case 'canary':
      return canaryPhases(context, { ...input, strategy }, base)
    case 'blue-green': {
      const { preview } = strategy
      const switched: Phase = {
        ...plainPhase('switch', { ...base, canary: 100 }),
        title: version => `all requests to ${version}`,
        duration: time(strategy.keepOld, 'how long the old side is kept'),
        analysis: strategy.analysis,
      }
      if (preview === null) return [switched]
      const match = [{ kind: 'header', name: SIDE_HEADER, value: 'canary' }] as const
      return [
        {
          ...plainPhase('preview', { ...base, match }),
          title: version => `${version} to who asks for it by ${SIDE_HEADER}: canary`,
          duration: time(preview.time, 'the time of the preview'),
          analysis: preview,
        },
        switched,
      ]
    }
    case 'mirror': {
      const mirror = percentOf(context, strategy.percent, at)
      return [
        {
          ...plainPhase('mirror', { ...base, mirror }),
          title: version => `${mirror} % of the requests copied to ${version}`,
          duration: time(strategy.time, 'how long requests are mirrored'),
          analysis: strategy.analysis,
        },
      ]
    }
    case 'ab-test': {
      const { to } = strategy
      const weight = to.kind === 'percent' ? percentOf(context, to.percent, at) : 0
      const traffic: Traffic =
        to.kind === 'percent'
          ? { ...base, canary: weight, sticky: 'x-release-side' }
          : { ...base, match: [{ kind: to.kind, name: to.name, value: to.value }] }
      const who =
        to.kind === 'percent' ? `${weight} % of the callers` : `callers with ${to.name}: ${to.value}`
      const { primary, analysis } = strategy
      checkPrimary(context, primary)
      return [
        {
          ...plainPhase('experiment', traffic),
          canaries: instances => (weight === 0 ? instances : share(instances, weight)),
          title: version => `${version} for ${who}`,
          duration: time(strategy.time, 'how long the experiment lasts'),
          analysis: { ...analysis, metrics: [...analysis.metrics, primary] },
          decides: primary,
        },
      ]
    }
  }
}

/** The better side would lose where either way is bad. */
function checkPrimary(context: CompileContext, { name, expected, at }: MetricModel): void {
  const beside = expected.kind === 'comparison' || (expected.kind === 'within' && expected.of === 'stable')
  if (!beside || expected.direction !== 'either') return
  context.report({
    code: 'no-better-side',
    message: `${name} decides the experiment, and a difference either way counts as worse: the side that is better would lose`,
    hint: "Say which way is worse: compare(…, { worse: 'lower' }).",
    at,
  })
}

const plainPhase = (name: string, traffic: Traffic) =>
  ({ name, traffic, canaries: all, baselines: none, decides: null, approval: null }) as const

/** As many of the instances as the share of the requests, and at least one. */
const share = (instances: number, weight: number): number =>
  Math.max(1, Math.ceil((instances * weight) / 100))

function canaryPhases(
  context: CompileContext,
  input: PhaseInput & { readonly strategy: CanaryModel },
  base: Traffic,
): readonly Phase[] {
  const { strategy, site, at } = input
  const steps = stepsOf(context, strategy, site)
  checkApprovals(context, { ...input, steps })
  const weights = steps.map(step => percentOf(context, step.weight, at))
  // A weight that is no percentage stands as 100: what follows from that is no finding of its own.
  if (steps.every(step => isPercentage(context.value(step.weight))))
    checkWeights(context, { weights, site, at })
  return steps.map((step, i) => {
    const weight = weights[i]!
    const baseline = strategy.baseline && weight <= 50 ? weight : 0
    return {
      ...plainPhase(String(weight), { ...base, canary: weight, baseline }),
      canaries: instances => share(instances, weight),
      baselines: instances => (baseline === 0 ? 0 : share(instances, weight)),
      title: version => `${weight} % of the requests to ${version}`,
      duration: context.duration(step.every ?? strategy.every, {
        name: `how long the step of ${weight} % is watched`,
        at,
        fallback: 0,
      }),
      analysis: strategy.analysis,
      approval: step.approval,
    }
  })
}

/** With weights of its own a region takes each step's time, and the word of people, from the strategy's step that they lead to. */
function stepsOf(
  context: CompileContext,
  strategy: CanaryModel,
  site: SiteModel,
): readonly CanaryStepModel[] {
  const { weights } = site
  if (weights === null) return strategy.steps
  const stepAt = (weight: number): CanaryStepModel | undefined =>
    strategy.steps.find(step => context.value(step.weight) >= weight)
  return weights.map((weight, i) => {
    const step = stepAt(weight)
    const next = weights[i + 1]
    // The last weight that leads to a step ends it: people are asked once, before it goes beyond.
    const isItsLast = next === undefined || stepAt(next) !== step
    return { weight, every: step?.every ?? null, approval: (isItsLast ? step?.approval : null) ?? null }
  })
}

/** What people are to say in the middle must not be lost with the step at which they say it. */
function checkApprovals(
  context: CompileContext,
  {
    strategy,
    steps,
    site,
    at,
  }: PhaseInput & { readonly strategy: CanaryModel; readonly steps: readonly CanaryStepModel[] },
): void {
  const asked = steps.map(({ approval }) => approval)
  for (const { approval, weight } of strategy.steps) {
    if (approval === null || asked.includes(approval)) continue
    context.report({
      code: 'approval-lost',
      message: `the canary waits for the approval "${approval.name}" at ${context.value(weight)} %, and the weights of ${site.name} lead past it: ${site.weights?.join(', ')}`,
      hint: `Give the region the weight ${context.value(weight)} as well, so that people are asked there too.`,
      at,
      related: [{ message: `${site.environment.name} is defined here`, at: site.environment.at }],
    })
  }
}

function checkWeights(
  context: CompileContext,
  { weights, site, at }: { weights: readonly number[]; site: SiteModel; at: CallSite },
): void {
  const rising = weights.every((weight, i) => i === 0 || weight > weights[i - 1]!)
  if (weights.length > 0 && rising && weights.at(-1) === 100) return
  context.report({
    code: 'canary-steps',
    message: `the steps of the canary in ${site.name} are ${weights.length === 0 ? 'none' : weights.join(', ')}`,
    hint: 'Weights rise from step to step, and the last one is 100, as in [5, 25, 50, 100].',
    at,
  })
}

function percentOf(context: CompileContext, value: Value<number>, at: CallSite): number {
  const percent = context.value(value)
  if (isPercentage(percent)) return percent
  context.report({
    code: 'not-a-percentage',
    message: `a share of the requests is ${JSON.stringify(percent)}`,
    hint: 'Write a number above 0 and up to 100: so many percent.',
    at,
  })
  return 100
}

const isPercentage = (value: unknown): value is number =>
  typeof value === 'number' && value > 0 && value <= 100

/** What the strategy asks of a router, as people say it; only what is really asked. */
export function needsOf(phases: readonly Phase[]): readonly (keyof RouterCapabilities)[] {
  const asked = new Set<keyof RouterCapabilities>()
  for (const { traffic } of phases) {
    if (traffic.canary > 0 || traffic.baseline > 0) asked.add('weights')
    if (traffic.match.some(match => match.kind === 'header')) asked.add('headers')
    if (traffic.match.some(match => match.kind === 'cookie')) asked.add('cookies')
    if (traffic.sticky !== null) asked.add('sticky')
    if (traffic.mirror > 0) asked.add('mirroring')
    if (traffic.carried) asked.add('carried')
  }
  return [...asked]
}
