/**
 * What the system refuses to do with the state's files, told as such.
 *
 * Role: turns a disk's error into one that a person can act on. Boundary: adds nothing to what is done.
 */
import { isReleaseError, StateError } from '../../src/errors.ts'

/**
 * Does something with the files at `path`. @throws StateError `state-unusable` where the system refuses (no space,
 * no permission, a failing disk), naming the path and what the system said; any other error as it is
 */
export async function onState<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw refusedBySystem(error) ? unusable(path, error) : error
  }
}

/** The state at `path` cannot be used, because of `cause`. */
export const unusable = (path: string, cause: Error): StateError =>
  new StateError('state-unusable', `The state in ${path} cannot be used: ${cause.message}.`, {
    cause,
    hint: 'What is recorded is not lost. Mend the cause (space, permissions, the disk), then say the same again.',
  })

const refusedBySystem = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && !isReleaseError(error) && 'syscall' in error && 'errno' in error
