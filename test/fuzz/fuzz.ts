/**
 * Many seeds of one experiment, and what all of them have to keep: only errors of ours, and none that takes long.
 */
import { isReleaseError } from '../../src/errors.ts'
import { type Dice, dice } from './mutate.ts'

/** Milliseconds for one input: far more than any takes on a busy machine, and far less than a loop without end. */
const PATIENCE = 10_000

/** `experiment` may throw or reject with an error of ours and with nothing else. Says what each came to. */
export async function fuzz(
  options: { readonly seeds: number; readonly from?: number },
  experiment: (roll: Dice, seed: number) => unknown,
): Promise<Readonly<Record<string, number>>> {
  const outcomes: Record<string, number> = {}
  const from = options.from ?? 1
  for (let seed = from; seed < from + options.seeds; seed += 1) {
    const began = performance.now()
    const outcome = await attempt(experiment, seed)
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    const took = performance.now() - began
    if (took > PATIENCE) throw new Error(`seed ${seed} took ${Math.round(took)} ms`)
  }
  return outcomes
}

async function attempt(experiment: (roll: Dice, seed: number) => unknown, seed: number): Promise<string> {
  try {
    const said = await experiment(dice(seed), seed)
    return typeof said === 'string' ? said : 'passed'
  } catch (error) {
    if (isReleaseError(error)) return sound(error)
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/** An error of ours says something, and exits with a code that is documented. */
function sound(error: {
  readonly code: string
  readonly message: string
  readonly exitCode: number
}): string {
  if (!/^[a-z][a-z0-9-]*$/.test(error.code)) throw new Error(`the code "${error.code}" is not kebab-case`)
  if (error.message.trim() === '') throw new Error(`the error ${error.code} says nothing`)
  if (![1, 2, 4].includes(error.exitCode)) throw new Error(`${error.code} exits with ${error.exitCode}`)
  return error.code
}
