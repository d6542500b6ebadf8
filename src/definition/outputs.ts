/**
 * What steps leave for later ones, as types.
 *
 * Role: follows, through stages and parallel parts, which step's value is certain to be there, and says in
 * the editor why another is not. Boundary: types only.
 *
 * Invariants:
 *  O1. A map of outputs has one entry for every step of the release written so far, so that names are unique.
 *  O2. The entry of a step that is not certain to have ended before is `Unseen` with the reason; `Visible`
 *      drops it, so that reading it is an error, and shows the reason in that error.
 */

/** No entries yet. */
export type None = Record<never, never>

declare const unseen: unique symbol

/** Stands for the value of a step that may not have ended; `Why` says where the step is. */
export interface Unseen<Why extends 'elsewhere' | 'beside'> {
  readonly [unseen]: Why
}

/** What a person is told who wants to read it. */
interface Reasons<Name extends string> {
  elsewhere: `'${Name}' may not have ended: add its stage to after`
  beside: `'${Name}' may not have ended: it runs beside this`
}

/**
 * A map written out, so that an editor shows its entries and not how they came about.
 * The detour over `infer` is what makes it forget.
 */
export type Plain<Map> = { [Name in keyof Map]: Map[Name] } extends infer Written ? Written : never

/** The values of the steps that have certainly ended before: `outputs.NAME`. */
export type Outputs<Made> = { readonly [Name in keyof Made]: Made[Name] }

/** As {@link Outputs}; the reason is there to be read in the error of who asks for a step's value too early. */
export type OutputsWithout<_Reason extends string, Made> = { readonly [Name in keyof Made]: Made[Name] }

type IfSeen<Name, Value> = Value extends Unseen<infer _Why> ? never : Name

/** The entries that can be read. */
export type Seen<Map> = Plain<{ [Name in keyof Map as IfSeen<Name, Map[Name]>]: Map[Name] }>

/** What a step's `outputs` is. */
export type Visible<Map> = {
  [Name in keyof Map]: Map[Name] extends Unseen<infer Why> ? Reasons<Name & string>[Why] : never
}[keyof Map] extends infer Reason extends string
  ? [Reason] extends [never]
    ? Outputs<Map>
    : OutputsWithout<Reason, Seen<Map>>
  : never

/** Names written literally: not those of an index signature, which may or may not be there. */
type Literal<Map> = keyof { [Name in keyof Map as None extends Record<Name, 1> ? never : Name]: 1 }

/** `Name` where no step has it yet; otherwise the sentence that the editor shows. */
export type NewStep<Name, Map> = Name extends Literal<Map> & string
  ? `there is a step '${Name}' already: give this one another name`
  : Name

/** Both maps as one. */
export type Joined<Map, More> = Plain<{
  [Each in keyof Map | keyof More]: Each extends keyof Map
    ? Map[Each]
    : Each extends keyof More
      ? More[Each]
      : never
}>

/** The map with one more step. */
export type Adding<Map, Name extends PropertyKey, Value> = Joined<Map, { [Each in Name]: Value }>

/** What a part made beyond what it was given. */
export type Beyond<Made, Given> = Plain<Omit<Made, keyof Given>>

/** As seen from a part that runs beside those steps. */
export type Beside<Made> = {
  [Name in keyof Made]: Unseen<'beside'>
}

type NameIn<Maps> = Maps extends unknown ? keyof Maps : never

type ValueIn<Maps, Name> = Maps extends unknown ? (Name extends keyof Maps ? Maps[Name] : never) : never

/**
 * What a stage is given, which waits for the stages `After` of `Stages`: their outputs, and an unseen entry
 * for every other step of the release.
 */
export type GivenAfter<Stages, After extends keyof Stages> = Plain<{
  [Name in NameIn<Stages[keyof Stages]>]: Name extends NameIn<Stages[After]>
    ? ValueIn<Stages[After], Name>
    : Unseen<'elsewhere'>
}>
