/**
 * The number that a command prints as its last line.
 *
 *  CM1. Nothing printed is no data, and so is `NaN`; a last line that is no number is an error, and so is an exit code
 *       other than 0, whatever was printed before it.
 *  CM2. What is filled in stays within its argument: no shell reads it.
 */
import { ReleaseError } from '../../../src/errors.ts'
import type { MeasureTarget, Millis, PlanCommand, PlanMeasure } from '../../../src/plan/plan.ts'
import type { CommandResult, Commands, Meter } from '../../../src/run/ports.ts'
import { asItIs, type FillIn, fillIn } from './fill-in.ts'
import { framed, type MeterContext } from './reading.ts'

export interface CommandMeterRequest {
  readonly measure: Extract<PlanMeasure, { kind: 'command' }>
  readonly target: MeasureTarget
  readonly interval: Millis
  readonly commands: Commands
}

/** A meter that runs a command at each reading. */
export function openCommandMeter(
  { measure, target, interval, commands }: CommandMeterRequest,
  context: MeterContext,
): Meter {
  const filled: FillIn = { target, window: interval }
  const { argv, cwd } = measure.command
  const command = { argv: argv.map(text => fillIn(text, filled, asItIs)), cwd }
  return framed(context, async signal => {
    const at = context.now()
    const result = await commands.run(command, { signal, write: () => {} })
    return { at, value: numberOf(command, result) }
  })
}

function numberOf(command: PlanCommand, result: CommandResult): number | null {
  const last = lastLine(result.output)
  if (result.exitCode !== 0) throw failed(command, result, last)
  if (last === '' || last.toLowerCase() === 'nan') return null
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(last) && Number.isFinite(Number(last))) return Number(last)
  throw new ReleaseError(
    'measure-not-a-number',
    `the last line that ${nameOf(command)} printed is no number: ${shortened(last)}`,
    { hint: 'Have it print the number alone on its last line.' },
  )
}

function failed(command: PlanCommand, { exitCode, signal }: CommandResult, last: string): ReleaseError {
  const how = exitCode === null ? `was ended by ${signal}` : `ended with exit code ${exitCode}`
  return new ReleaseError(
    'measure-command',
    `${nameOf(command)} ${how}${last === '' ? '' : `: ${shortened(last)}`}`,
  )
}

const lastLine = (output: string): string => output.trimEnd().split('\n').at(-1)!.trim()

const nameOf = ({ argv }: PlanCommand): string => `"${shortened(argv.join(' '))}"`

const shortened = (text: string): string => (text.length > 100 ? `${text.slice(0, 99)}…` : text)
