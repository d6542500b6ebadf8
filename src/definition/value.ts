/**
 * Durations, shares and retries as a team writes them.
 *
 * Role: the types of what is written as text, and the sentences that an editor shows where it is written
 * wrongly. Boundary: types only; the compiler reads the text.
 */
import type { Param, Picked } from './param.ts'

/** A length of time: a number and its unit, such as `'500ms'`, `'30s'`, `'10m'`, `'2h'` or `'3d'`. */
export type Duration = `${number}ms` | `${number}s` | `${number}m` | `${number}h` | `${number}d`

/** A share of the whole: `'25%'`. */
export type Percentage = `${number}%`

/** A value as written, or one that a param decides: the param itself, or its `pick`. */
export type Value<T> = T | Param<string, T> | Picked<T>

/** What {@link DurationOf} is asked about: text, or what a param decides. */
export type Written = string | Param | Picked<unknown>

/** What is no length of time although its number reads as one: `'2 s'`, `'-1s'`. */
type Untidy = `${string} ${string}` | `-${string}`

/** The sentence for what is no duration; nothing for what is one. */
type NoDuration<T> = T extends Untidy
  ? `'${T}' is not a duration: write a number and ms, s, m, h or d, such as '30s', '10m' or '3d'`
  : T extends Duration
    ? never
    : T extends string
      ? string extends T
        ? "a duration is checked as it is written: give it literally, such as '30s', or as a param"
        : `'${T}' is not a duration: write a number and ms, s, m, h or d, such as '30s', '10m' or '3d'`
      : "this is not a duration: write a number and ms, s, m, h or d, such as '30s', '10m' or '3d'"

type Unless<Sentence, T> = [Sentence] extends [never] ? T : Sentence

/** `T` where it is a duration; otherwise the sentence that the editor shows. */
export type DurationOf<T> =
  T extends Param<string, string>
    ? T
    : T extends Picked<infer Each>
      ? Unless<NoDuration<Each>, T>
      : Unless<NoDuration<T>, T>

/** `T` where it is a count or a percentage; otherwise the sentence that the editor shows. */
export type AmountOf<T> = T extends
  | number
  | Percentage
  | Param<string, number>
  | Param<string, string>
  | Picked<number | Percentage>
  ? T
  : T extends `${infer Count extends number}`
    ? `'${Count}' is neither a count nor a percentage: write ${Count} or '${Count}%'`
    : T extends string
      ? `'${T}' is neither a count nor a percentage: write a number such as 2, or a share such as '25%'`
      : "neither a count nor a percentage: write a number such as 2, or a share such as '25%'"

/**
 * How often something is tried again: attempts after the first, or those and the time between them.
 * `delay` is the wait before the first retry; it doubles for each that follows, up to `maxDelay`.
 */
export type Retries<Time> =
  | number
  | {
      readonly limit: number
      readonly delay?: DurationOf<Time>
      readonly maxDelay?: DurationOf<Time>
    }
