/**
 * What HAProxy's workers count: the one that takes requests, and those of before a reload that finish theirs.
 *
 * Boundary: asks through the master's socket, and changes nothing.
 */
import { LEFT, MASTER_SOCKET, placeOf, readSetKey, SERVERS, WAY_BACK } from './files.ts'
import { readMap } from './live.ts'
import { converse, type Session, Unreachable } from './session.ts'

/** What one server of one worker has counted since it was put in, or what was counted for a set of them. */
export interface ServerRow {
  /** `<backend>/<server>`, or the table's name and the set's key. */
  readonly name: string
  readonly component: string
  readonly side: string
  /** Empty: several. */
  readonly instance: string
  readonly version: string
  /** Requests that it answers now. */
  readonly current: number
  readonly requests: number
  readonly errors: number
  readonly unanswered: number
}

export interface Worker {
  readonly pid: number
  /** It takes new requests. */
  readonly takes: boolean
  readonly rows: readonly ServerRow[]
}

/** The workers that live, by what the master says: the one that takes requests first. */
export const readProcesses = (
  answer: string,
): readonly { readonly pid: number; readonly takes: boolean }[] => {
  let takes = true
  return answer.split('\n').flatMap(line => {
    if (line.startsWith('# old')) takes = false
    const [, pid] = /^(\d+)\s+worker\b/.exec(line) ?? []
    return pid === undefined ? [] : [{ pid: Number(pid), takes }]
  })
}

/** Of `show stat`, by the names of its columns; those that are read hold no comma. */
export const readRows = (answer: string, versions: ReadonlyMap<string, string>): readonly ServerRow[] => {
  const [header = '', ...lines] = answer.split('\n')
  const columns = header.replace(/^# /, '').split(',')
  return lines.flatMap(line => {
    const cells = line.split(',')
    const text = (name: string): string => cells[columns.indexOf(name)] ?? ''
    const instance = text('svname')
    const place = placeOf(text('pxname'))
    if (place === null || ['FRONTEND', 'BACKEND', WAY_BACK].includes(instance)) return []
    const name = `${text('pxname')}/${instance}`
    const version = versions.get(name) ?? ''
    return [{ name, instance, component: place.component, side: place.side, version, ...counted(text) }]
  })
}

/**
 * Of `show table left`: callers who left without an answer (`gpc0`), and those of them who had waited for long (`gpc1`).
 * No server counted them.
 */
export const readLeft = (answer: string): readonly ServerRow[] =>
  answer.split('\n').flatMap(line => {
    const [, key, left, late] = /^0x[0-9a-f]+: key=(\S+) .*\bgpc0=(\d+) gpc1=(\d+)/.exec(line) ?? []
    const set = key === undefined ? null : readSetKey(key)
    if (set === null) return []
    const counted = { requests: Number(left), errors: Number(late), unanswered: Number(late) }
    return [{ name: `${LEFT} ${key}`, instance: '', current: 0, ...set, ...counted }]
  })

const ANSWERED = ['hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx', 'hrsp_5xx', 'hrsp_other']
/** Each attempt that no answer came of is in one of these: asked again, asked elsewhere, given up. */
const FAILED = ['wretr', 'wredis', 'econ', 'eresp']

const counted = (
  text: (name: string) => string,
): Pick<ServerRow, 'current' | 'requests' | 'errors' | 'unanswered'> => {
  const number = (name: string): number => Number(text(name))
  const sum = (names: readonly string[]): number => names.reduce((total, name) => total + number(name), 0)
  const failed = sum(FAILED)
  // An answer that broke off was counted by its status, and is none.
  const unanswered = failed + number('srv_abrt')
  return {
    current: number('scur'),
    requests: sum(ANSWERED) + failed,
    errors: number('hrsp_5xx') + unanswered,
    unanswered,
  }
}

const readWorker = async (
  { ask }: Session,
  { pid, takes }: { pid: number; takes: boolean },
): Promise<Worker> => {
  const described = readMap(await ask(`@!${pid} show map ${SERVERS}`))
  const versions = new Map(described.map(({ key, value }) => [key, value.split('|')[1] ?? '']))
  const rows = readRows(await ask(`@!${pid} show stat`), versions)
  return { pid, takes, rows: [...rows, ...readLeft(await ask(`@!${pid} show table ${LEFT}`))] }
}

/** All workers. Fails with {@link Unreachable} where the master does not answer. */
export const readWorkers = async (folder: string): Promise<readonly Worker[]> => {
  const living = await listWorkers(folder)
  const workers: Worker[] = []
  for (const worker of living) {
    const read = converse(folder, MASTER_SOCKET, session => readWorker(session, worker))
    // One of before a reload may end while it is asked.
    const found = await read.catch(error => {
      if (worker.takes || !(error instanceof Unreachable)) throw error
      return null
    })
    if (found !== null) workers.push(found)
  }
  return workers
}

export const listWorkers = (
  folder: string,
): Promise<readonly { readonly pid: number; readonly takes: boolean }[]> =>
  converse(folder, MASTER_SOCKET, async ({ ask }) => readProcesses(await ask('show proc')))
