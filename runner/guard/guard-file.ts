/**
 * What guards write down in a run's folder, one file a watch, one JSON object a line.
 *
 *     runs/<run>/guards/<when it began>-<pid>.jsonl
 *
 * Boundary: the run's journal is not touched; nobody but the watch writes its file. A line that a crash cut off is left out.
 */
import { existsSync } from 'node:fs'
import { appendFile, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { GuardLine } from '../../src/run/guard-record.ts'
import { onState } from '../journal/on-state.ts'
import type { RunFolder } from '../journal/run-store.ts'

const folderOf = ({ path }: RunFolder): string => join(path, 'guards')

export interface GuardFile {
  write(line: GuardLine): Promise<void>
}

/** A file of this watch's own. @throws StateError `state-unusable` */
export async function openGuardFile(run: RunFolder, startedAt: number): Promise<GuardFile> {
  const folder = folderOf(run)
  const file = join(folder, `${String(startedAt).padStart(14, '0')}-${process.pid}.jsonl`)
  await onState(folder, () => mkdir(folder, { recursive: true, mode: 0o700 }))
  return {
    write: line => onState(file, () => appendFile(file, `${JSON.stringify(line)}\n`, { mode: 0o600 })),
  }
}

/** What every watch of the run wrote down, oldest first. */
export async function readGuards(run: RunFolder): Promise<readonly (readonly GuardLine[])[]> {
  const folder = folderOf(run)
  if (!existsSync(folder)) return []
  const names = (await onState(folder, () => readdir(folder))).filter(name => name.endsWith('.jsonl')).sort()
  return Promise.all(
    names.map(async name => linesIn(await onState(folder, () => readFile(join(folder, name), 'utf8')))),
  )
}

/** Up to the first that is not whole: what follows it was not written by us. */
function linesIn(text: string): readonly GuardLine[] {
  const lines: GuardLine[] = []
  for (const line of text.split('\n')) {
    try {
      lines.push(JSON.parse(line) as GuardLine)
    } catch {
      break
    }
  }
  return lines
}
