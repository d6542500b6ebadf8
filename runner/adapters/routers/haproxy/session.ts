/**
 * A conversation with HAProxy's runtime API, over its socket: one command, its whole answer, the next command.
 *
 * Invariants:
 *  1. An answer is whole when the prompt comes after it. A command that changes something answers nothing, or the one
 *     sentence that it is known by; whatever else it says is an error.
 *  2. The socket is reached through its folder's descriptor: its own path may be longer than a socket's may be.
 */
import { open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { ReleaseError } from '../../../../src/errors.ts'

const ANSWER_MS = 5_000
const PROMPT = /(?:^|\n)(?:master|\d+)?> $/

/** One argument of a command. */
export const quoted = (argument: string): string => argument.replace(/[\\ ;<]/g, '\\$&')

export interface Session {
  /** What the command answers. */
  ask(command: string): Promise<string>
  /** For commands that change something: fails with code `router-failed` where they answer anything but `expected`. */
  tell(command: string, expected?: string): Promise<void>
}

/** The connection broke, or nothing answers: HAProxy is gone or going. */
export class Unreachable extends Error {}

/** Fails with {@link Unreachable} where nobody listens. */
const connected = async (folder: string, name: string): Promise<Socket> => {
  const directory = await open(folder, 'r').catch(cause => {
    throw new Unreachable(`${folder} cannot be opened`, { cause })
  })
  try {
    return await new Promise((resolve, reject) => {
      const socket = connect(`/proc/self/fd/${directory.fd}/${name}`)
      socket.once('error', cause => reject(new Unreachable(`nobody answers at ${name}`, { cause })))
      socket.once('connect', () => resolve(socket))
    })
  } finally {
    await directory.close()
  }
}

const createSession = (socket: Socket, name: string): Session => {
  let text = ''
  let settle: (error: Error | null) => void = () => undefined
  socket.setEncoding('utf8')
  socket.on('data', chunk => {
    text += String(chunk)
    if (PROMPT.test(text.slice(-16))) settle(null)
  })
  const broken = () => settle(new Unreachable(`${name} closed the conversation`))
  socket.on('error', broken)
  socket.on('close', broken)
  socket.setTimeout(ANSWER_MS, () => socket.destroy())
  const ask = (command: string): Promise<string> =>
    new Promise((resolve, reject) => {
      text = ''
      settle = error => {
        settle = () => undefined
        if (error) reject(error)
        else resolve(text.replace(PROMPT, '').trim())
      }
      if (socket.destroyed) return broken()
      socket.write(`${command}\n`)
    })
  const tell = async (command: string, expected = ''): Promise<void> => {
    const answer = await ask(command)
    if (answer === expected) return
    throw new ReleaseError('router-failed', `HAProxy did not do \`${command}\`: ${answer}`)
  }
  return { ask, tell }
}

/** Opens a conversation, has it held, and closes it. Fails with {@link Unreachable} where it breaks. */
export const converse = async <T>(
  folder: string,
  name: string,
  talk: (session: Session) => Promise<T>,
): Promise<T> => {
  const socket = await connected(folder, name)
  try {
    const session = createSession(socket, name)
    await session.ask('prompt')
    return await talk(session)
  } finally {
    socket.destroy()
  }
}

/** Says a last word after which HAProxy closes the conversation (the master, when it reloads). */
export const dismiss = (folder: string, name: string, command: string): Promise<void> =>
  converse(folder, name, async session => {
    await session.ask(command)
  }).catch(error => {
    if (!(error instanceof Unreachable)) throw error
  })
