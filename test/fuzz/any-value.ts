/**
 * Values for the words of the language: mostly sound, and sometimes what nobody should write.
 */
import { type Dice, NASTY } from './mutate.ts'

/** Values that are sound but for one in `rarity`. */
export const valuesOf = (roll: Dice, rarity: number) => {
  let named = 0
  const mostly = <T>(sound: () => T, odd: readonly T[]): T =>
    roll.number(rarity) === 0 ? roll.pick(odd) : sound()
  return {
    mostly,
    name: () => mostly(() => `n${++named}`, [...NASTY, 'a', 'auth', 'staging', 'a/b', 'A']),
    text: () => mostly(() => 'node main.js', NASTY),
    version: () => mostly(() => '3.0.0', ['', 'x', '3', 'v3.0.0', '3.0.0+b', ...NASTY]),
    range: () => mostly(() => '^3.0.0', ['*', 'x', '', '<1', '>=1 <', ...NASTY]),
    count: () => mostly(() => 1 + roll.number(3), [0, -1, 0.5, 1e6, Number.NaN, Number.POSITIVE_INFINITY]),
    time: () =>
      mostly(() => '10m', ['0ms', '-1s', '1', '', '1e9d', '99999999999999d', `${'9'.repeat(400)}d`]) as never,
    amount: () =>
      mostly<number | string>(
        () => roll.pick([1, '25%']),
        [0, -1, 1.5, '0%', '101%', 'x', Number.NaN],
      ) as never,
    percent: () =>
      mostly<unknown>(() => roll.pick([5, 25, 50]), [0, -1, 101, 1e-9, '50%', null, Number.NaN]) as never,
  }
}

export type Values = ReturnType<typeof valuesOf>

/** What is written once in four times. */
export const maybeOf =
  (roll: Dice) =>
  (part: () => object): object =>
    roll.number(4) === 0 ? part() : {}
