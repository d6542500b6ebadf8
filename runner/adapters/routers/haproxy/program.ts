/**
 * Which HAProxy is started, and whether it can do what is asked of it.
 *
 * Boundary: looks for a file and asks it for its version; starts nothing that stays.
 */
import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { ReleaseError } from '../../../../src/errors.ts'

/** Where packages put it that are not in everybody's PATH. */
const USUAL = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin']
/** Servers that are added and taken away while it runs, with health checks of their own, are there since 2.6. */
const OLDEST = [2, 6] as const
const VERSION_MS = 5_000
const HINT =
  'Install it with `apt-get install haproxy` (Debian, Ubuntu) or `brew install haproxy` (macOS), or leave `router: haproxy()` out of the environment.'

const run = promisify(execFile)

const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  )

const candidates = (program: string): readonly string[] => {
  if (program.includes('/')) return [path.resolve(program)]
  const folders = [...(process.env.PATH ?? '').split(':').filter(Boolean), ...USUAL]
  return folders.map(folder => path.join(folder, program))
}

/** The first two numbers that `haproxy -v` says; null where it says none. */
export const versionIn = (said: string): readonly [number, number] | null => {
  const [, major, minor] = /version (\d+)\.(\d+)/.exec(said) ?? []
  return major === undefined || minor === undefined ? null : [Number(major), Number(minor)]
}

/** Whether HAProxy of this version can be steered as we do. */
export const isRecent = ([major, minor]: readonly [number, number]): boolean =>
  major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])

/** By name as it was asked for: the file does not move while a runner lives. */
const found = new Map<string, Promise<string>>()

/**
 * The absolute path of a HAProxy that is recent enough. Fails with code `haproxy-missing` or `haproxy-too-old`.
 */
export const findProgram = (program: string): Promise<string> => {
  const known = found.get(program)
  if (known) return known
  const looking = find(program)
  found.set(program, looking)
  // What is missing now may be installed a moment later.
  looking.catch(() => found.delete(program))
  return looking
}

const find = async (program: string): Promise<string> => {
  for (const file of candidates(program)) if (await isExecutable(file)) return expectRecent(file)
  throw new ReleaseError(
    'haproxy-missing',
    `The program ${program} was found neither in PATH nor in ${USUAL.join(', ')}, and an environment asks for HAProxy as its router.`,
    { hint: HINT },
  )
}

const expectRecent = async (file: string): Promise<string> => {
  const said = await run(file, ['-v'], { timeout: VERSION_MS }).catch((cause: unknown) => {
    throw new ReleaseError('haproxy-missing', `${file} cannot be run: it does not say its version.`, {
      cause,
      hint: HINT,
    })
  })
  const version = versionIn(said.stdout)
  if (version !== null && isRecent(version)) return file
  const [first = ''] = said.stdout.split('\n')
  throw new ReleaseError(
    'haproxy-too-old',
    `${file} is too old: version ${OLDEST.join('.')} or newer is needed, and it says "${first}".`,
    { hint: HINT },
  )
}
