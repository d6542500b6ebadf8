/**
 * The answer to a `plan` or `check` that was answered before, where all that it rests on is as it was.
 *
 * Role: stands before the whole command line, in a script of its own, so that neither the compiler nor the definition is
 * loaded to say once more what was said.
 *
 * Why it cannot be stale. A plan is a pure function of the definition's files, the params, and the facts: compiling has no
 * clock, network or disk, and a definition that reads one is refused. So an answer rests on files, on what is not there, on
 * words and variables, and on what runs; and each of these is looked at again (remember.ts says how each is covered). Where
 * one has changed, or may have, nothing is recalled, and all is read and made anew.
 */
import { fstatSync, readFileSync, realpathSync, writeFileSync, writeSync } from 'node:fs'
import { watchOutput } from '../cli/lost-output.ts'
import { type Answer, answerPath, questionOf, type Running, readAnswer, type Screen } from './answer.ts'
import { areSameNames, areUntouched } from './stamps.ts'

/** Answers a command line from memory. False, and nothing was said, where it has to be answered anew. */
export function recalled(argv: readonly string[]): boolean {
  const question = thisQuestion(argv)
  if (question === null) return false
  try {
    const answer = readAnswer(answerPath(process.env, question), question)
    if (answer === null || !holds(answer)) return false
    if (answer.file !== null) writeFileSync(answer.file.path, answer.file.text)
    say(answer)
    return true
  } catch {
    // Whatever is in the way, the whole command line meets it too and says so in its own words.
    return false
  }
}

/** What this process is asked; null where nothing is kept, since it is not one of the commands that only say something. */
export function thisQuestion(argv: readonly string[]): string | null {
  if (argv[0] !== 'plan' && argv[0] !== 'check') return null
  try {
    return questionOf({ argv, cwd: process.cwd(), env: process.env, screens: [screenOf(1), screenOf(2)] })
  } catch {
    // The working folder has gone, or a stream is closed: the command itself meets that, and says so.
    return null
  }
}

/** Node's own stream is costly to open: only what may be a screen is asked as one. */
function screenOf(fd: 1 | 2): Screen | false {
  if (!fstatSync(fd).isCharacterDevice()) return false
  const stream = fd === 1 ? process.stdout : process.stderr
  return stream.isTTY === true && { columns: stream.columns }
}

/** Whether all that an answer rests on is as it was. @throws Error where what it rests on has gone */
export const holds = ({ named, definition, stamps, names, running }: Answer): boolean =>
  realpathSync(named) === definition && areUntouched(stamps) && areSameNames(names) && allRun(running)

function allRun(running: readonly Running[]): boolean {
  if (running.length === 0) return true
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return running.every(one => one.boot === boot && runs(one))
}

/** Fields of /proc/PID/stat, counted after the command's closing bracket since its name may hold anything. */
function runs({ pid, start }: Running): boolean {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields[0] !== 'Z' && fields[0] !== 'X' && fields[19] === start
}

function say({ err, out, code }: Answer): void {
  process.exitCode = code
  put(err, { fd: 2, stream: () => process.stderr })
  put(out, { fd: 1, stream: () => process.stdout })
}

/** Written at once; what is not taken at once, and every trouble, is left to Node's own stream. */
function put(text: string, to: { readonly fd: number; readonly stream: () => NodeJS.WriteStream }): void {
  const bytes = Buffer.from(text)
  let written = 0
  try {
    while (written < bytes.length) written += writeSync(to.fd, bytes, written)
  } catch {
    const stream = to.stream()
    watchOutput(stream, () => process.stderr)
    stream.write(bytes.subarray(written))
  }
}
