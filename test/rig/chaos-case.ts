/** What is killed in the middle of a canary release, and when. */

export type RouterName = 'gateway' | 'haproxy'

export type Victim =
  /** By itself, at a named point of its code. */
  | 'runner'
  /** The router as well, when the runner is gone. */
  | 'runner and router'
  /** The gateway, or HAProxy's master with its worker. */
  | 'router'
  | 'master'
  | 'worker'
  /** All instances of the new version that have not been promoted. */
  | 'canary'
  /** Where measurements come from, for good. */
  | 'prometheus'

/** A node of the plan, and how far it has come. */
export interface Moment {
  readonly node: string
  /** `effect:before` and `effect:after` are points at which a runner kills itself. */
  readonly at: 'started' | 'measured' | 'done' | 'effect:before' | 'effect:after'
}

export interface ChaosCase {
  readonly router: RouterName
  readonly order: 'needs' | 'lockstep'
  /** breaking: `front` of the new version answers with errors, so that the release takes itself back. */
  readonly version: 'good' | 'breaking'
  readonly victim: Victim
  readonly moment: Moment
  /** Who brings a run to its end whose runner was killed; left out: `resume`. */
  readonly end?: 'guard'
}

export const nameOf = ({ router, order, version, victim, moment, end }: ChaosCase): string =>
  [
    victim,
    `${moment.at} ${moment.node}`,
    [version, order, router, ...(end === undefined ? [] : [end])].join(', '),
  ].join(' | ')
