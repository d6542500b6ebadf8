/**
 * What a guard sees, a line a round, for people.
 *
 * Boundary: pure text over the lines that it writes down.
 */
import { measuredText } from '../../src/judge/anomaly.ts'
import { formatDuration } from '../../src/judge/unit.ts'
import type { GuardLine, GuardTarget, GuardTriggerState } from '../../src/run/guard-record.ts'
import { type Painter, plain } from './terminal-text.ts'
import { renderTime } from './time-text.ts'
import { breachText, firstLine, listed, MARKS } from './words.ts'

/** The lines that people read of it. */
export function guardText(line: GuardLine, paint: Painter): readonly string[] {
  const time = paint.dim(renderTime(line.at))
  switch (line.type) {
    case 'guard-started': {
      const targets = line.targets.map(
        ({ component, environment }) => `${plain(component)} in ${plain(environment)}`,
      )
      const what =
        targets.length === 0 ? plain(line.run) : `${listed(targets)}, every ${formatDuration(line.interval)}`
      return [
        paint.bold(
          `${MARKS.running} guards ${plain(line.release)} ${plain(line.version)}: ${what}, until ${renderTime(line.until)}`,
        ),
      ]
    }
    case 'guard-round':
      return [
        `${time} ${line.targets.map(targetText).join(' · ')}`,
        ...line.triggers.flatMap(state => triggerLine(state, paint)),
      ]
    case 'guard-anomaly':
      return [
        `${time} ${paint.yellow(`${MARKS.warned} unusual: ${plain(line.component)} in ${plain(line.environment)}: ${plain(line.reason)}`)}`,
      ]
    case 'guard-recovery': {
      const mark = line.outcome === 'failed' ? paint.red(MARKS.failed) : paint.yellow(MARKS.warned)
      return [
        `${time} ${mark} ${line.name}: ${plain(line.component)} in ${plain(line.environment)}, since ${plain(line.problem)}: ${firstLine(line.detail)}`,
      ]
    }
    case 'guard-fired':
      return [`${time} ${paint.red(`${MARKS.failed} ${breachText(line.breach)}: the release is taken back`)}`]
    case 'guard-decided':
      return [`${time} ${paint.yellow(`${MARKS.warned} ${plain(line.reason)}`)}`]
    case 'guard-hindered':
      return [`${time} ${paint.yellow(`${MARKS.warned} ${plain(line.reason)}`)}`]
    case 'guard-ended':
      return [`${time} ${ends(line, paint)}`]
  }
}

function targetText({ component, version, measured, instances }: GuardTarget): string {
  const parts = measured.map(({ name, unit, value, error }) =>
    error === undefined ? measuredText(name, unit, value) : `${name}: ${firstLine(error)}`,
  )
  const well = instances === null ? 'instances unknown' : `${instances.healthy} of ${instances.of} well`
  return `${plain(component)} ${plain(version)}: ${[...parts, well].join(', ')}`
}

/** What is on its way is told; what could not be measured yet is in the round itself. */
function triggerLine(
  { component, verdict, breaches, needed, reason }: GuardTriggerState,
  paint: Painter,
): readonly string[] {
  if (verdict !== 'breaching') return []
  return [
    paint.yellow(`    ${MARKS.warned} ${plain(component)}: ${plain(reason)} (${breaches} of ${needed})`),
  ]
}

function ends(
  { outcome, reason, rounds }: Extract<GuardLine, { type: 'guard-ended' }>,
  paint: Painter,
): string {
  const after = `after ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`
  switch (outcome) {
    case 'quiet':
      return paint.green(`${MARKS.succeeded} nothing had to be taken back, ${after}`)
    case 'unmeasured':
      return paint.red(
        `${MARKS.failed} nothing was taken back, ${after}, and not all of it was seen: ${plain(reason)}`,
      )
    case 'rolled-back':
      return paint.cyan(`${MARKS.undone} the release is taken back, ${after}: ${plain(reason)}`)
    case 'rollback-failed':
      return paint.red(`${MARKS.failed} it is not all as it was, ${after}: ${plain(reason)}`)
    case 'gone':
      return paint.yellow(`${MARKS.warned} ${plain(reason)}, ${after}: there is nothing to guard any more`)
    case 'interrupted':
      return `it was told to stop, ${after}`
  }
}
