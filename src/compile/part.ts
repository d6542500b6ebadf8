/**
 * One component of a deployment in one place, and the nodes that every strategy has: batches and `verify`.
 */
import type { DeployModel, StrategyModel } from '../definition/model.ts'
import type { Millis, Revision } from '../plan/plan.ts'
import type { ResolvedComponent } from './components.ts'
import type { CompileContext } from './context.ts'
import type { Flow, Lowering } from './lower.ts'
import type { SiteModel } from './regions.ts'
import { parseDuration, parseShare } from './units.ts'

const VERIFY_TIMEOUT: Millis = 5 * 60_000

export interface SiteDeploy {
  readonly item: DeployModel
  readonly site: SiteModel
  readonly before: Flow
}

/** One component of a deployment in one place. */
export interface Part {
  readonly component: ResolvedComponent
  /** Of its nodes' keys: `production/payment-service`. */
  readonly base: string
  readonly revision: Revision
  readonly instances: number
  /** Key of its `prepare`. */
  readonly prepare: string
  /** Another version runs there: there is traffic that could be divided. */
  readonly live: boolean
  /** Key of the deployment whose components shift together. */
  readonly lockstep?: string
}

/** What all nodes of a part say of themselves. */
export const partFields = (place: SiteDeploy, { component, lockstep }: Part) => ({
  component: component.name,
  environment: place.site.name,
  ...(lockstep === undefined ? {} : { lockstep }),
})

export const siteBase = (lowering: Lowering, site: SiteModel): string =>
  site.name === lowering.stageName ? site.name : `${lowering.stageName}/${site.name}`

export function lowerVerify(lowering: Lowering, place: SiteDeploy, part: Part, last: string): string {
  const { component, base, revision, instances, prepare } = part
  const verify = `${base}/verify`
  lowering.add(
    {
      ...partFields(place, part),
      key: verify,
      title: `${component.name}: verify ${instances} × ${component.version}`,
      timeout: VERIFY_TIMEOUT,
      undo: { kind: 'restore' },
      operation: { kind: 'verify', revision, instances, prepared: prepare },
    },
    { needs: [last], after: [], deployed: [] },
    place.item.at,
  )
  return verify
}

/** What a part's first change waits for, besides its `prepare`. */
export interface First {
  readonly needs: readonly string[]
  readonly after: readonly string[]
}

/** Batch by batch; returns the last one's key. */
export function lowerBatches(lowering: Lowering, place: SiteDeploy, part: Part, first: First): string {
  const { item } = place
  const { component, base, revision, instances, prepare } = part
  const shape = shapeOf(lowering.context, item.with, instances, item)
  let last = prepare
  for (let from = 0, batch = 1; from < instances; from += shape.batch, batch += 1) {
    const to = Math.min(from + shape.batch, instances)
    const key = `${base}/${shape.kind}/${batch}`
    lowering.add(
      {
        ...partFields(place, part),
        key,
        title: `${component.name}: ${slots(from, to)} of ${instances} to ${component.version}`,
        timeout: shape.deadline,
        undo: { kind: 'restore' },
        ...(batch === 1 ? first : {}),
        operation: {
          kind: 'replace',
          revision,
          from,
          to,
          maxUnavailable: shape.maxUnavailable,
          prepared: prepare,
        },
      },
      { needs: [last], after: [], deployed: [] },
      item.at,
    )
    last = key
  }
  return last
}

const slots = (from: number, to: number): string =>
  to - from === 1 ? `instance ${to}` : `instances ${from + 1}–${to}`

interface Shape {
  /** Part of the nodes' keys. */
  readonly kind: 'rolling' | 'all-at-once'
  readonly batch: number
  readonly maxUnavailable: number
  readonly deadline: Millis
}

function shapeOf(
  context: CompileContext,
  strategy: StrategyModel,
  instances: number,
  item: DeployModel,
): Shape {
  const deadline = context.duration(strategy.progressDeadline, {
    name: 'the progress deadline',
    at: item.at,
    fallback: parseDuration('10m')!,
  })
  switch (strategy.kind) {
    case 'all-at-once':
      return { kind: 'all-at-once', batch: instances, maxUnavailable: 0, deadline }
    case 'canary':
    case 'blue-green':
    case 'ab-test':
    case 'mirror':
      // Nothing runs there, or this very version: there is no traffic to divide.
      return { kind: 'rolling', batch: 1, maxUnavailable: 0, deadline }
    case 'rolling': {
      const share = (value: typeof strategy.batch, name: string, round: 'up' | 'down'): number => {
        const text = context.value(value)
        const count = parseShare(text, { of: instances, round })
        if (count === null) reportShare(context, { name, text, at: item.at })
        return count ?? 1
      }
      return {
        kind: 'rolling',
        batch: Math.max(1, share(strategy.batch, 'batch', 'up')),
        maxUnavailable: share(strategy.maxUnavailable, 'maxUnavailable', 'down'),
        deadline,
      }
    }
  }
}

function reportShare(
  context: CompileContext,
  what: { readonly name: string; readonly text: number | string; readonly at: DeployModel['at'] },
): void {
  context.report({
    code: 'not-a-share',
    message: `${what.name} is ${JSON.stringify(what.text)}`,
    hint: "Write a whole number of instances, or a share of them as in '25%'.",
    at: what.at,
  })
}
