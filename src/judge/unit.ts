/**
 * Units of measures, and how their values are written for people.
 *
 *  UN1. Two values that differ are never written alike where they stand in one sentence: as many digits are shown
 *       as it takes to tell them apart. "1% is not below 1%" is said only of 1 %.
 */

/** ratio: a share from 0 to 1, shown as a percentage. ms: milliseconds. per-second: a rate. */
export type Unit = 'ratio' | 'ms' | 'count' | 'per-second' | 'bytes' | 'number'

const digitsShown = 3
const digitsOfADouble = 17

/** The value with its unit: `3.2%`, `480ms`, `1.5s`, `12`, `25/s`. */
export function formatValue(value: number, unit: Unit, digits: number = digitsShown): string {
  switch (unit) {
    case 'ratio':
      return `${percent(value, digits)}%`
    case 'ms':
      return Math.abs(value) < 1000 ? `${plain(value, digits)}ms` : `${plain(value / 1000, digits)}s`
    case 'per-second':
      return `${plain(value, digits)}/s`
    case 'bytes':
      return bytes(value, digits)
    case 'count':
    case 'number':
      return plain(value, digits)
    default:
      return unit satisfies never
  }
}

/** How far two values are from each other: of shares in percentage points, `0.5 points`. */
export const formatDifference = (difference: number, unit: Unit): string =>
  unit === 'ratio' ? `${plain(difference * 100, digitsShown)} points` : formatValue(difference, unit)

/** Both values, with as many digits as it takes to tell them apart (UN1). */
export function formatApart(value: number, other: number, unit: Unit): readonly [string, string] {
  for (let digits = digitsShown; digits < digitsOfADouble; digits += 1) {
    const pair = [formatValue(value, unit, digits), formatValue(other, unit, digits)] as const
    if (value === other || pair[0] !== pair[1]) return pair
  }
  return [formatValue(value, unit, digitsOfADouble), formatValue(other, unit, digitsOfADouble)]
}

/** A length of time: `45s`, `5m`, `1h 30m`. `duration` is in milliseconds. */
export function formatDuration(duration: number): string {
  if (duration < 60_000) return formatValue(duration, 'ms')
  const minutes = Math.round(duration / 60_000)
  const parts = [
    [Math.floor(minutes / 1440), 'd'],
    [Math.floor(minutes / 60) % 24, 'h'],
    [minutes % 60, 'm'],
  ] as const
  return parts
    .filter(([count]) => count > 0)
    .map(([count, name]) => `${count}${name}`)
    .join(' ')
}

/** The number, and the thing in its singular or plural: `1 request`, `40 requests`. */
export const countOf = (count: number, singular: string, plural: string = `${singular}s`): string =>
  `${count} ${count === 1 ? singular : plural}`

/** Whole numbers are never rounded; others keep so many digits that mean something. */
function plain(value: number, digits: number): string {
  if (Number.isInteger(value)) return String(value)
  const whole = Math.abs(value) >= 1 ? Math.floor(Math.log10(Math.abs(value))) + 1 : 0
  return String(Number(value.toPrecision(Math.max(digits, Math.min(whole + 1, digitsOfADouble)))))
}

/** Just under 100 % it is the distance from it whose digits mean something: 99.95 % is not 100 %. */
function percent(share: number, digits: number): string {
  if (share <= 0.9 || share >= 1) return plain(share * 100, digits)
  const decimals = digits - 1 - Math.floor(Math.log10((1 - share) * 100))
  return String(Number((share * 100).toFixed(Math.min(decimals, digitsOfADouble))))
}

function bytes(value: number, digits: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const size = Math.abs(value) < 1 ? 0 : Math.floor(Math.log2(Math.abs(value)) / 10)
  const power = Math.min(size, units.length - 1)
  return `${plain(value / 1024 ** power, digits)} ${units[power]}`
}
