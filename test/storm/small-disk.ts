/**
 * A small disk of its own for a project's state, that can be filled up and emptied again.
 *
 * Boundary: a tmpfs, which only root may mount; where that cannot be, `canMount` says so.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const PAGE = 4096
const SIZE = 4 * 1024 * 1024

/** Whether this process may mount a disk. */
export const canMount = (): boolean =>
  process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0

export interface SmallDisk {
  /** Leaves at most so many pages free. */
  fill(pages: number): void
  empty(): void
  remove(): void
}

/** Mounts a disk of 4 MiB at the path, which must not be there yet. */
export function mountSmallDisk(path: string): SmallDisk {
  mkdirSync(path)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', path])
  const ballast = join(path, 'ballast')
  const empty = (): void => rmSync(ballast, { force: true })
  return {
    fill: pages => {
      empty()
      const { bfree, bsize } = statfsSync(path)
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bfree * bsize - pages * PAGE)))
    },
    empty,
    remove: () => void execFileSync('umount', ['--lazy', path]),
  }
}
