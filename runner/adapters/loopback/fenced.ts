/** What everybody says who refuses an owner that was taken over. */
import { ReleaseError } from '../../../src/errors.ts'

export interface Refused {
  readonly component: string
  readonly environment: string
  /** What the change came with. */
  readonly fence: number
  /** The highest that is known. */
  readonly highest: number
}

/** The error with code `fenced`. */
export const fenced = ({ component, environment, fence, highest }: Refused): ReleaseError =>
  new ReleaseError(
    'fenced',
    `${component} in ${environment} was taken over: this runner's fence is ${fence}, the newest owner's ${highest}. Nothing was changed.`,
    { hint: 'Another runner goes on with it: look at `release local status` for who that is.' },
  )
