/** Finds the file of an entry point of ours, in the source tree and in a built package. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ReleaseError } from '../../../../src/errors.ts'

/**
 * The file of `name` (without extension): beside this module as TypeScript, which Node runs as it is, or beside the
 * bundle that this module went into as JavaScript.
 */
export const siblingEntry = (name: string, from: string = import.meta.url): string => {
  const candidates = [`./${name}.ts`, `./${name}.cjs`].map(relative => fileURLToPath(new URL(relative, from)))
  const found = candidates.find(file => existsSync(file))
  if (found !== undefined) return found
  throw new ReleaseError(
    'install-damaged',
    `This installation lacks ${name}: it is at none of ${candidates.join(', ')}.`,
    {
      hint: 'Install release-as-code again.',
    },
  )
}
