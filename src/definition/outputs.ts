/**
 * What steps leave for later ones, as types.
 *
 * Role: follows, through stages and parallel parts, which step's value is certain to be there, and says in
 * the editor why another is not. Boundary: types only.
 *
 * Invariants:
 *  O1. Outputs are a union with one member for every step of the release written so far, so that names are
 *      unique. A union grows without nesting: a map built of maps would be too deep at thirty stages.
 *  O2. The member of a step that may not have ended is `Elsewhere` or `Beside`; `Visible` drops it, so that
 *      reading it is an error, and shows the reason in that error.
 */

/** The value of a step that has certainly ended, under the step's name. */
export interface Output<Name extends string = string, Value = unknown> {
  readonly name: Name
  readonly value: Value
}

/** A step of a stage that this one does not wait for. */
export interface Elsewhere<Name extends string = string> {
  readonly name: Name
  readonly place: 'elsewhere'
}

/** A step that runs beside this one. */
export interface Beside<Name extends string = string> {
  readonly name: Name
  readonly place: 'beside'
}

/** A step as another sees it. */
export type Seen = Output | Elsewhere | Beside

/** The value of one output. */
export type ValueOf<Given, Name> =
  Given extends Output<infer Names, infer Value> ? (Name extends Names ? Value : never) : never

/** The outputs that can be read, as a map. The detour over `infer` makes an editor show the map itself. */
export type ValuesOf<Given> = {
  [Name in Extract<Given, Output>['name']]: ValueOf<Given, Name>
} extends infer Values
  ? Values
  : never

/** The values of the steps that have certainly ended before: `outputs.NAME`. */
export type Outputs<Values> = { readonly [Name in keyof Values]: Values[Name] }

/** As {@link Outputs}; the reason is there to be read in the error of who asks for a step's value too early. */
export type OutputsWithout<_Reason extends string, Values> = { readonly [Name in keyof Values]: Values[Name] }

type ReasonOf<Given> = Given extends { readonly name: infer Name extends string; readonly place: infer Place }
  ? Place extends 'elsewhere'
    ? `'${Name}' may not have ended: add its stage to after`
    : `'${Name}' may not have ended: it runs beside this`
  : never

/** What a step's `outputs` is. */
export type Visible<Given> =
  ReasonOf<Given> extends infer Reason extends string
    ? ValuesOf<Given> extends infer Values
      ? [Reason] extends [never]
        ? Outputs<Values>
        : OutputsWithout<Reason, Values>
      : never
    : never

/** Those of the names that are written literally: one of a pattern may or may not be there. */
type Literal<Name> = Name extends string
  ? Record<never, never> extends Record<Name, 1>
    ? never
    : Name
  : never

/** `Name` where no step has it yet; otherwise the sentence that the editor shows. */
export type NewStep<Name, Given extends Seen> =
  Name extends Literal<Given['name']> ? `there is a step '${Name}' already: give this one another name` : Name

/** Those that were made beyond what was given. */
export type Beyond<Made, Given extends Seen> =
  Made extends Output<infer Name, unknown>
    ? [Extract<Name, Given['name']>] extends [never]
      ? Made
      : never
    : never

/** Those steps, as seen from a part that runs beside them. */
export type BesideOf<Made> = Made extends Output<infer Name, unknown> ? Beside<Name> : never

/**
 * A stage that is written: what its own steps leave, and the names of the stages that have ended before it ends.
 * It holds names and not their outputs again, or the types would grow with the square of the definition.
 */
export interface Ended<Name extends string = string, Made = unknown, Waited extends string = string> {
  readonly name: Name
  readonly made: Made
  readonly waited: Waited
}

type MadeIn<Stages> = Stages extends Ended<string, infer Made, string> ? Extract<Made, Output> : never

type MadeBy<Stages, Names> =
  Stages extends Ended<infer Name, infer Made, string>
    ? Name extends Names
      ? Extract<Made, Output>
      : never
    : never

type Hidden<Made> = Made extends Output<infer Name, unknown> ? Elsewhere<Name> : never

/** The stages that have certainly ended where those named `After` have. */
export type WaitedBy<Stages, After> =
  | After
  | (Stages extends Ended<infer Name, unknown, infer Waited> ? (Name extends After ? Waited : never) : never)

/** What a stage is given after the stages named `Waited`: every step of the release, seen or not. */
export type GivenAfter<Stages extends Ended, Waited> = [Stages['name']] extends [Waited]
  ? MadeIn<Stages>
  : MadeBy<Stages, Waited> | Hidden<MadeBy<Stages, Exclude<Stages['name'], Waited>>>
