/**
 * How a law that does not hold is told.
 */
/** A law is broken. `law` is its name, by which a shrunk case is known to be broken in the same way. */
export class Broken extends Error {
  readonly law: string

  constructor(law: string, message: string) {
    super(`${law}: ${message}`)
    this.law = law
  }
}

export function demand(held: boolean, law: string, message: () => string): asserts held {
  if (!held) throw new Broken(law, message())
}
