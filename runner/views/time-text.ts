/**
 * Times and durations as people read them.
 *
 * Boundary: pure; times are milliseconds since 1970 and are said in UTC, since those who read a report sit in
 * different places.
 */

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `340 ms`, `1.2 s`, `34 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`: never more than two units. */
export function renderDuration(millis: number): string {
  const duration = Math.max(0, Math.round(millis))
  if (duration < SECOND) return `${duration} ms`
  if (duration < 9.95 * SECOND) return `${(duration / SECOND).toFixed(1)} s`
  if (duration < MINUTE - SECOND / 2) return `${Math.round(duration / SECOND)} s`
  if (duration < HOUR - SECOND / 2) return twoUnits(duration, MINUTE, 'min', SECOND, 's')
  if (duration < DAY - MINUTE / 2) return twoUnits(duration, HOUR, 'h', MINUTE, 'min')
  return twoUnits(duration, DAY, 'd', HOUR, 'h')
}

function twoUnits(
  duration: number,
  large: number,
  largeName: string,
  small: number,
  smallName: string,
): string {
  const smalls = Math.round(duration / small)
  const rest = smalls % (large / small)
  const whole = `${Math.floor(smalls / (large / small))} ${largeName}`
  return rest === 0 ? whole : `${whole} ${rest} ${smallName}`
}

/** `2024-03-15 08:00:00 UTC` */
export const renderTime = (at: number): string =>
  `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** Time since something began, of a width that does not jump: `  12.3s`, `1:02:03`. */
export function renderElapsed(millis: number): string {
  const seconds = Math.max(0, millis) / SECOND
  if (seconds < 1000) return `${seconds.toFixed(1)}s`
  const whole = Math.floor(seconds)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
}
