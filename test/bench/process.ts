/**
 * Whole processes of the built command line, and what they cost.
 *
 * Boundary: knows no bench. Everything is in a folder of its own: state, homes, V8's compiled code.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** The built bin. */
export const bin = resolve(import.meta.dirname, '../../dist/release.js')

/** A folder for one bench, with a package of its own in it. */
export interface Workshop {
  readonly root: string
  /** Writes a file of the package and returns its path. */
  readonly write: (name: string, text: string) => string
  /** What every process is started with: nothing of this machine's own settings has a say. */
  readonly env: Readonly<Record<string, string>>
  readonly dispose: () => void
}

export function openWorkshop(name: string): Workshop {
  if (!existsSync(bin)) throw new Error(`${bin} is not there: say npm run build first`)
  const root = mkdtempSync(join(tmpdir(), `${name}-bench-`))
  const write = (file: string, text: string): string => {
    const path = join(root, file)
    mkdirSync(resolve(path, '..'), { recursive: true })
    writeFileSync(path, text)
    return path
  }
  write('package.json', '{"name":"bench","private":true,"type":"module"}\n')
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: root,
    XDG_CACHE_HOME: join(root, '.cache'),
    RELEASE_LOCAL_HOME: join(root, '.home'),
    RELEASE_USER: 'bench',
  }
  return { root, write, env, dispose: () => rmSync(root, { recursive: true, force: true }) }
}

export interface Cost {
  /** Milliseconds from the start to the end of the process. */
  readonly wall: number
  /** Most memory that was resident at once, in MB. */
  readonly peak: number
  readonly stdout: string
  readonly stderr: string
}

export interface Start {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Asks for `peak`, which takes some milliseconds itself; without it, `peak` is 0. */
  readonly peak?: boolean
  /** Called with all that was printed so far on stderr. */
  readonly onStderr?: (printed: string) => void
}

const sayPeak = `data:text/javascript,process.on('exit',()=>process.stderr.write('\\npeak '+process.resourceUsage().maxRSS))`

/** Runs Node to its end. @throws Error with what it said, where it does not end with 0 */
export async function runNode(args: readonly string[], start: Start): Promise<Cost> {
  const all = start.peak ? ['--import', sayPeak, ...args] : args
  const from = performance.now()
  const child = spawn(process.execPath, all, {
    cwd: start.cwd,
    env: start.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    start.onStderr?.(stderr)
  })
  const code = await new Promise<number | NodeJS.Signals | null>((done, failed) =>
    child.once('error', failed).once('close', (exit, signal) => done(signal ?? exit)),
  )
  const wall = performance.now() - from
  if (code !== 0)
    throw Object.assign(new Error(`node ${args.join(' ')} ended with ${code}: ${stderr}`), { code })
  return { wall, peak: Number(/\npeak (\d+)$/.exec(stderr)?.[1] ?? 0) / 1024, stdout, stderr }
}
