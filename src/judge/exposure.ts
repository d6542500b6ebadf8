/**
 * What a canary risks: how much traffic meets a new version, and for how long at the worst.
 *
 *  EX1. A request that passes through several services that are canaried apart from each other meets a new version
 *       if any of them is one: 1 − (1 − w)ⁿ. In lockstep, where all hops of a request go the same way, it is w.
 *  EX2. Times are upper bounds: a breach that begins right after a measurement is seen by the next ones only.
 */
import type { AnalysisRule } from './analysis.ts'

/** How the services that a request passes through are canaried. */
export interface Exposure {
  /** The canary's share of traffic, from 0 to 1. */
  readonly weight: number
  /** How many canaried services a request passes through. */
  readonly hops: number
  readonly coupling: 'independent' | 'lockstep'
}

/** The share of requests that meet at least one new version (EX1). */
export function exposedShare({ weight, hops, coupling }: Exposure): number {
  if (hops === 0) return 0
  // 1 − (1 − w)ⁿ without losing the digits of a small w.
  return coupling === 'lockstep' ? weight : -Math.expm1(hops * Math.log1p(-weight))
}

type Watched = Pick<AnalysisRule, 'interval' | 'initialDelay' | 'failureLimit'>

/**
 * The longest time from a breach to the verdict, in milliseconds (EX2). `lag` is from an event to the moment at which a
 * query shows it.
 */
export const timeToDetect = (
  { interval, initialDelay = 0, failureLimit = 0 }: Watched,
  { lag = 0 }: { readonly lag?: number } = {},
): number => initialDelay + interval * (failureLimit + 1) + lag

/** The longest time from a breach until all traffic is back, in milliseconds. The rule that sees it first decides. */
export function timeToBeBack(
  rules: readonly Watched[],
  { lag = 0, undo }: { readonly lag?: number; readonly undo: number },
): number | null {
  if (rules.length === 0) return null
  return Math.min(...rules.map(rule => timeToDetect(rule, { lag }))) + undo
}

/** How many requests meet a new version before all traffic is back. `duration` is in milliseconds. */
export const requestsExposed = (
  exposure: Exposure,
  { perSecond, duration }: { readonly perSecond: number; readonly duration: number },
): number => exposedShare(exposure) * perSecond * (duration / 1000)
