/**
 * The command line in this very process: for commands that only look, where a process each would cost too much.
 */
import { Writable } from 'node:stream'
import { answer } from '../../runner/main.ts'

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What a command line answers in a working folder. `env`: what it is to find beside who asks. */
export async function answerHere(
  cwd: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const printed = { stdout: '', stderr: '' }
  const stream = (name: keyof typeof printed): NodeJS.WriteStream =>
    new Writable({
      decodeStrings: false,
      write: (chunk: string | Buffer, _encoding, done) => {
        printed[name] += chunk.toString()
        done()
      },
    }) as Writable as NodeJS.WriteStream
  const code = await answer(argv, {
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    env: { RELEASE_USER: 'alice@techcorp.example', ...env },
    cwd,
    json: argv.includes('--json'),
    color: { stdout: false, stderr: false },
    interactive: false,
  })
  return { code, ...printed }
}
