/**
 * The command gate: the exit code is the verdict.
 */
import type { PlanCommand } from '../../../src/plan/plan.ts'
import type { CommandResult } from '../../../src/run/ports.ts'
import { failed, type GateContext, type GateResult } from './verdict.ts'

/** Runs the command and judges its exit code. */
export async function performCommand(command: PlanCommand, context: GateContext): Promise<GateResult> {
  const result = await runCheck(command, context)
  return commandFailure(command, result) ?? { passed: true, summary: `"${nameOf(command)}" passed` }
}

/** Runs a check's command with the gate's log and signal. */
export const runCheck = (command: PlanCommand, context: GateContext): Promise<CommandResult> =>
  context.commands.run(command, { signal: context.signal, write: context.write, node: context.node })

/** The verdict on a command that did not end well; null: it did. */
export function commandFailure(command: PlanCommand, result: CommandResult): GateResult | null {
  if (result.exitCode === 0) return null
  const how =
    result.exitCode === null ? `was ended by ${result.signal}` : `ended with exit code ${result.exitCode}`
  const tail = lastLines(result.output)
  return failed({
    code: result.exitCode === null ? 'signal' : 'exit-code',
    message: `"${nameOf(command)}" ${how}`,
    ...(tail === '' ? {} : { tail }),
  })
}

/** How a command is called in a line for people. */
export const nameOf = ({ argv }: PlanCommand): string => {
  const line = argv.map(arg => (/^[^\s"']+$/.test(arg) ? arg : JSON.stringify(arg))).join(' ')
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}

const lastLines = (output: string): string => output.trimEnd().split('\n').slice(-20).join('\n')
