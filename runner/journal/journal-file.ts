/**
 * The journal as a file that one runner appends to.
 *
 * Role: append-only, durable, in order. Boundary: frame.ts knows the format, recovery.ts what came before.
 *
 *  J1. When `append` resolves, its records are on the disk, and so is every record appended before them.
 *  J2. Appends that come while the disk is busy share the next write and the next fdatasync.
 *  J3. `guard` is asked before each write and again after it is on the disk. An append is acknowledged only
 *      if the run was still ours afterwards, so that whoever takes the run over has read it.
 *  J4. After the first failure nothing is written any more. The disk is not asked twice: an fdatasync that
 *      succeeds after one that failed says nothing about the pages of the first.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { StateError } from '../../src/errors.ts'
import { writeFileDurably } from './durable-file.ts'
import { type Entry, encodeGroup, encodeHeader, type Group, type Position } from './frame.ts'
import { recoverJournal, unwritable } from './recovery.ts'

/** What the writer asks of a file opened for appending. */
export interface AppendFile {
  /** Appends bytes and says how many of them were taken. */
  write(bytes: Uint8Array): Promise<number>
  datasync(): Promise<void>
  close(): Promise<void>
}

export interface JournalOptions {
  /** Throws once the run is no longer ours. */
  readonly guard: () => void
  /** How the file is opened; the default is the disk. */
  readonly openFile?: (path: string) => Promise<AppendFile>
}

export interface Journal {
  /** The end of the last record handed over. */
  readonly position: Position
  /**
   * Appends a group, durably. An empty group waits for all that was appended before it.
   * Rejects with StateError: `journal-unwritable`, `journal-closed`, or what the guard threw.
   */
  append(group: Group): Promise<void>
  /** Waits for what was handed over and closes the file. */
  close(): Promise<void>
}

export interface OpenedJournal {
  readonly journal: Journal
  readonly run: string
  /** What was recorded before, oldest first. */
  readonly entries: readonly Entry[]
  /** How many bytes of an unfinished append were cut off. */
  readonly cut: number
}

/** Makes an empty journal. It is there with its header, or not at all. */
export const createJournal = (path: string, run: string): Promise<void> =>
  writeFileDurably(path, encodeHeader(run).text)

/** Opens a journal for appending, after recovery. Throws as `recoverJournal` does. */
export async function openJournal(path: string, options: JournalOptions): Promise<OpenedJournal> {
  const recovered = await recoverJournal(path, options.guard)
  let file: AppendFile
  try {
    file = await (options.openFile ?? openOnDisk)(path)
  } catch (error) {
    throw unwritable(path, error)
  }
  const journal = new GroupCommit(path, file, recovered.position, options.guard)
  return { journal, run: recovered.run, entries: recovered.entries, cut: recovered.cut }
}

async function openOnDisk(path: string): Promise<AppendFile> {
  const file: FileHandle = await open(path, 'a')
  return {
    write: async bytes => (await file.write(bytes)).bytesWritten,
    datasync: () => file.datasync(),
    close: () => file.close(),
  }
}

interface Waiting {
  readonly text: string
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Comes when everything that can be done without the disk is done. What an acknowledged append leads to is appended by
 * then too: without this the first of a hundred would hurry ahead, and its fellows would wait for a disk that is busy
 * with it alone.
 */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

class GroupCommit implements Journal {
  readonly #path: string
  readonly #file: AppendFile
  readonly #guard: () => void
  #position: Position
  #waiting: Waiting[] = []
  #draining: Promise<void> | null = null
  #failure: StateError | null = null

  constructor(path: string, file: AppendFile, position: Position, guard: () => void) {
    this.#path = path
    this.#file = file
    this.#position = position
    this.#guard = guard
  }

  get position(): Position {
    return this.#position
  }

  append(group: Group): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    const { text, position } = encodeGroup(this.#position, group)
    this.#position = position
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ text, resolve, reject })
    this.#draining ??= this.#drain()
    return promise
  }

  async close(): Promise<void> {
    await this.#draining
    this.#failure ??= new StateError('journal-closed', `The journal ${this.#path} is closed.`)
    await this.#file.close()
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await turn()
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#commit(batch)
      } catch (error) {
        this.#fail(batch, error)
        break
      }
      for (const { resolve } of batch) resolve()
    }
    this.#draining = null
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    this.#guard()
    const text = batch.map(waiting => waiting.text).join('')
    if (text === '') return
    await this.#writeWhole(Buffer.from(text))
    await this.#file.datasync()
    this.#guard()
  }

  async #writeWhole(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      const taken = await this.#file.write(bytes.subarray(written))
      if (taken === 0) throw new Error('the disk takes no more bytes')
      written += taken
    }
  }

  #fail(batch: readonly Waiting[], cause: unknown): void {
    this.#failure = cause instanceof StateError ? cause : unwritable(this.#path, cause)
    for (const { reject } of [...batch, ...this.#waiting]) reject(this.#failure)
    this.#waiting = []
  }
}
