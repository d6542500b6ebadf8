/**
 * The runner's side of a gateway's process: finds the environment's, starts it where it is not there, and asks it.
 *
 * Invariants:
 *  C1. Whatever is asked of a gateway that has died is asked again of the one that takes its place: every
 *      change is idempotent.
 *  C2. A gateway is believed to live only if its recorded process does and it answers.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { ReleaseError } from '../../../../src/errors.ts'
import { type Answer, ask } from '../../loopback/ask.ts'
import { baseEnvironment } from '../../loopback/child-environment.ts'
import { endProcess, isAlive, waitUntil } from '../../loopback/process-table.ts'
import { readState } from '../../loopback/state-file.ts'
import { GATEWAY_PROTOCOL, type GatewayState, gatewayFiles } from './gateway/protocol.ts'
import { siblingEntry } from './sibling-entry.ts'

const START_MS = 20_000
const ANSWER_MS = 3_000
/** A gateway that lives is not replaced before this: on a busy machine an answer may take its time. */
const PATIENCE_MS = 15_000
const CONTROL_MS = 10_000
const END_MS = 6_000
const TRIES = 3

/** The gateway as its folder says, if its process lives; answers or not. */
const recordedGateway = async (folder: string): Promise<GatewayState | null> => {
  const state = await readState<GatewayState>(gatewayFiles(folder).state)
  return state && isAlive(state.process) ? state : null
}

type Speaks = 'this protocol' | 'another protocol' | 'nothing'

const speaks = (port: number, timeout: number): Promise<Speaks> =>
  ask({ port, path: '/-/health', timeout }).then(
    answer => (protocolOf(answer) === GATEWAY_PROTOCOL ? 'this protocol' : 'another protocol'),
    () => 'nothing',
  )

const protocolOf = (answer: Answer): unknown => {
  try {
    return (JSON.parse(answer.body) as { protocol?: unknown }).protocol
  } catch {
    return undefined
  }
}

/** By folder: what this process is finding out, so that many components start one gateway once. */
const ensuring = new Map<string, Promise<GatewayState>>()

/** The environment's gateway, started if need be. Fails with code `gateway-failed`. */
export const ensureGateway = (folder: string): Promise<GatewayState> => {
  const known = ensuring.get(folder)
  if (known) return known
  const found = findOrStart(folder).finally(() => ensuring.delete(folder))
  ensuring.set(folder, found)
  return found
}

const findOrStart = async (folder: string): Promise<GatewayState> => {
  const known = await recordedGateway(folder)
  if (known && (await speaks(known.port, PATIENCE_MS)) === 'this protocol') return known
  // It lives and has not answered for long, or speaks the protocol of another version: it has to make room.
  if (known) await endProcess(known.process, END_MS)
  return startGateway(folder)
}

const startGateway = async (folder: string): Promise<GatewayState> => {
  const exit = launch(folder)
  let state: GatewayState | null = null
  const isUp = async () => {
    state = await recordedGateway(folder)
    return state !== null && (await speaks(state.port, ANSWER_MS)) === 'this protocol'
  }
  const failed = () => exit.code !== undefined && exit.code !== 0
  await waitUntil(async () => (await isUp()) || failed(), START_MS)
  if (state !== null && !failed()) return state
  throw await gatewayFailed(folder)
}

const gatewayFailed = async (folder: string): Promise<ReleaseError> => {
  const { log } = gatewayFiles(folder)
  const tail = (await readFile(log, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-10).join('\n')
  return new ReleaseError(
    'gateway-failed',
    `The gateway in ${folder} did not start. It last said:\n${tail}`,
    {
      hint: `Its whole log is ${log}.`,
    },
  )
}

/** Starts the process. Where two runners do so at once, one of the two leaves with exit code 0. */
const launch = (folder: string): { code: number | undefined } => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const log = openSync(gatewayFiles(folder).log, 'a', 0o600)
  const exit: { code: number | undefined } = { code: undefined }
  try {
    const child = spawn(process.execPath, [siblingEntry('gateway-process'), folder], {
      cwd: folder,
      detached: true,
      env: baseEnvironment(),
      stdio: ['ignore', log, log],
    })
    child.once('exit', code => {
      exit.code = code ?? 1
    })
    child.once('error', () => {
      exit.code = 1
    })
    child.unref()
  } finally {
    closeSync(log)
  }
  return exit
}

/** What is asked at one of a gateway's own addresses. */
export interface ControlCall {
  readonly method: 'GET' | 'PATCH' | 'POST'
  readonly path: string
  readonly body?: unknown
  /** Milliseconds. */
  readonly timeout?: number
}

/** Asks the environment's gateway, started if need be. Fails with code `gateway-failed` where it does not answer. */
export const callGateway = async (folder: string, call: ControlCall): Promise<Answer> => {
  let cause: unknown
  for (let tries = 0; tries < TRIES; tries += 1) {
    const { port } = await ensureGateway(folder)
    try {
      return await ask({
        port,
        path: call.path,
        method: call.method,
        headers: {
          authorization: `Bearer ${await readFile(gatewayFiles(folder).token, 'utf8')}`,
          'content-type': 'application/json',
        },
        ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
        timeout: call.timeout ?? CONTROL_MS,
      })
    } catch (error) {
      cause = error
    }
  }
  throw new ReleaseError('gateway-failed', `The gateway in ${folder} does not answer.`, {
    cause,
    hint: `Its log is ${gatewayFiles(folder).log}.`,
  })
}

/** Ends the gateway's process, if it runs. */
export const endGateway = async (folder: string): Promise<void> => {
  const gateway = await recordedGateway(folder)
  if (gateway) await endProcess(gateway.process, END_MS)
}
