/**
 * The language: everything that a team writes a release with.
 *
 * Boundary: the package's whole public face. Names here are settled.
 */

export type { Channel } from './definition/channel.ts'
export { slack, webhook } from './definition/channel.ts'
export type {
  Check,
  CommandLine,
  CommandWithoutPasses,
  CoverageWithoutAtLeast,
  HttpTarget,
  HttpWithoutAnswers,
} from './definition/check.ts'
export { command, coverage, http } from './definition/check.ts'
export type { App, Component, Need, Service } from './definition/component.ts'
export { app, service } from './definition/component.ts'
export type { Environment, Platform, Region, RegionBake, Router } from './definition/environment.ts'
export { environment, haproxy, local } from './definition/environment.ts'
export type { AnomalyOptions, GuardOptions, Trigger, TriggerOptions } from './definition/guard.ts'
export { trigger } from './definition/guard.ts'
export type { Measure, Metric, Provider } from './definition/metric.ts'
export {
  availability,
  compare,
  cpu,
  errorRate,
  json,
  latency,
  measured,
  memory,
  mismatch,
  prometheus,
  promql,
  throughput,
} from './definition/metric.ts'
export type { Output } from './definition/outputs.ts'
export type { Param, Picked } from './definition/param.ts'
export { param } from './definition/param.ts'
export type {
  Approver,
  FailurePolicy,
  Release,
  RollbackOptions,
  RollbackStrategy,
} from './definition/release.ts'
export { modelOf, release } from './definition/release.ts'
export type { Secret, SecretSource } from './definition/secret.ts'
export { secret } from './definition/secret.ts'
export type { Parallel, Stage } from './definition/stage.ts'
export type {
  Shape,
  Shell,
  ShellOutput,
  ShellProcess,
  StepContext,
  UndoContext,
  Verdict,
} from './definition/step.ts'
export type { Analysis, Strategy } from './definition/strategy.ts'
export { abTest, allAtOnce, blueGreen, canary, mirror, rolling } from './definition/strategy.ts'
export type { Duration, Percentage, Value } from './definition/value.ts'
