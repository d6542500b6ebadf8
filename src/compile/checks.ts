/**
 * Lowering of checks: what a gate asks, as the plan holds it.
 */
import type { GateModel } from '../definition/model.ts'
import type { PlanCheck } from '../plan/plan.ts'
import { isCheck } from './context.ts'
import type { Lowering } from './lower.ts'

export function lowerCheck(lowering: Lowering, item: GateModel): PlanCheck {
  const { check } = item
  if (typeof check === 'function' || !isCheck(check)) return { kind: 'function' }
  switch (check.kind) {
    case 'command':
      return { kind: 'command', command: lowering.command(check.command, item.at) }
    case 'coverage':
      checkPercent(lowering, check.atLeast, item)
      return {
        kind: 'coverage',
        command: lowering.command(check.command, item.at),
        metric: check.metric,
        atLeast: check.atLeast,
        report: check.report,
      }
    case 'http':
      return {
        kind: 'http',
        target:
          typeof check.target === 'string'
            ? { url: check.target }
            : {
                environment: check.target.environment.name,
                component: check.target.component.name,
                path: check.target.path,
              },
        method: check.method,
        status: check.status,
      }
  }
}

function checkPercent(lowering: Lowering, percent: number, item: GateModel): void {
  if (percent >= 0 && percent <= 100) return
  lowering.context.report({
    code: 'not-a-percentage',
    message: `the gate "${item.name}" asks for at least ${percent} %`,
    hint: 'A percentage is from 0 to 100.',
    at: item.at,
  })
}
