/**
 * A state folder that is full, may only be read, or goes away: on a real small disk, under the real command line.
 *
 * Each refusal is exit 4 with the place and the reason, whoever only looks is still answered, and the run goes on
 * once the cause is gone.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cutOff } from '../rig/crash.ts'
import type { Exit, TestProject } from '../rig/project.ts'
import { countedSteps, effectsLeft } from './small-run.ts'

const PAGE = 4096
const canMount = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0

const projects: TestProject[] = []
const disks: string[] = []

afterEach(async () => {
  for (const disk of disks.splice(0)) execFileSync('umount', ['--lazy', disk])
  for (const project of projects.splice(0)) await project.dispose()
})

const smallProject = (): TestProject => {
  const project = countedSteps()
  projects.push(project)
  return project
}

/** A project whose state lies on a disk of its own, with that many bytes. */
const onDiskOf = (size: number): { readonly project: TestProject; readonly disk: string } => {
  const project = smallProject()
  const disk = join(project.root, '.release')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk])
  disks.push(disk)
  return { project, disk }
}

/** Leaves so many pages free, and no more. */
const fillUpTo = (disk: string, pages: number): void => {
  const ballast = join(disk, 'ballast')
  rmSync(ballast, { force: true })
  const { bfree, bsize } = statfsSync(disk)
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bfree * bsize - pages * PAGE)))
  expect(statfsSync(disk).bfree).toBe(pages)
}

const begun = (project: TestProject): string | undefined =>
  project.runs().find(run => existsSync(join(project.folderOf(run), 'journal.jsonl')))

/** Exit 4, a place, the system's word, and what to do; no stack. */
const expectRefusal = ({ code, stderr }: Exit, reason: RegExp, place = '/.release'): void => {
  expect(code, stderr).toBe(4)
  expect(stderr).toMatch(/error\[(journal-unwritable|state-unusable|state-gone)\]: /)
  expect(stderr).toMatch(reason)
  expect(stderr).toContain(place)
  expect(stderr).toContain('  help: ')
  expect(stderr).not.toContain('    at ')
}

const expectDone = async (project: TestProject): Promise<void> => {
  const run = begun(project)!
  const events = await project.events(run)
  expect(events.at(-1)).toMatchObject({ type: 'run-finished', outcome: 'succeeded' })
  const { lint, one, two } = effectsLeft(project)
  expect(one).toBe(1)
  expect(lint).toBeLessThanOrEqual(1 + cutOff(events, 'small/lint'))
  expect(two).toBeLessThanOrEqual(1 + cutOff(events, 'small/two'))
  expect(Math.min(lint, two)).toBeGreaterThanOrEqual(1)
}

describe('a disk of its own', () => {
  beforeEach(({ skip }) => skip(!canMount, 'a small disk of its own needs root, to mount a tmpfs'))

  test('that fills up, wherever in the run, refuses it, and the run goes on when there is space', async () => {
    const { project, disk } = onDiskOf(2 * 1024 * 1024)
    await project.release(['check'])
    const outcomes = new Set<number | null>()
    for (const pages of [0, 2, 6, 9, 11, 12, 13, 14, 16]) {
      rmSync(join(disk, 'runs'), { recursive: true, force: true })
      rmSync(join(project.root, 'effects.log'), { force: true })
      fillUpTo(disk, pages)
      const full = await project.release(['run'])
      outcomes.add(full.code)
      if (full.code !== 0) {
        expectRefusal(full, /ENOSPC/)
        rmSync(join(disk, 'ballast'))
        const run = begun(project)
        const mended = await project.release(run === undefined ? ['run'] : ['resume', run])
        expect(mended.code, mended.stderr).toBe(0)
      }
      await expectDone(project)
    }
    // Both ends were reached: no space for anything, and space enough.
    expect([...outcomes].sort()).toEqual([0, 4])
  })

  test('that fills up while a step prints takes the run no further than its journal', async () => {
    const { project, disk } = onDiskOf(2 * 1024 * 1024)
    const cut = await project.release(['run'], { fault: 'effect:before:small/two#1:1' })
    expect(cut.signal).toBe('SIGKILL')
    fillUpTo(disk, 0)
    const full = await project.release(['resume'])
    expectRefusal(full, /ENOSPC/)
    expect((await project.release(['status'])).code).toBe(0)
    expect((await project.release(['verify'])).code).toBe(0)
    expectRefusal(await project.release(['cancel', begun(project)!]), /ENOSPC/)
    rmSync(join(disk, 'ballast'))
    expect((await project.release(['resume'])).code).toBe(0)
    await expectDone(project)
  })

  test('that may only be read refuses a runner and answers whoever looks', async () => {
    const { project, disk } = onDiskOf(2 * 1024 * 1024)
    const cut = await project.release(['run'], { fault: 'effect:after:small/one#1:1' })
    expect(cut.signal).toBe('SIGKILL')
    const run = begun(project)!
    execFileSync('mount', ['-o', 'remount,ro', disk])
    expectRefusal(await project.release(['resume']), /EROFS/)
    expectRefusal(await project.release(['run']), /EROFS/)
    expectRefusal(await project.release(['cancel', run]), /EROFS/)
    for (const look of [['list'], ['status'], ['report'], ['verify'], ['logs', run], ['check'], ['plan']]) {
      const { code, stderr } = await project.release(look)
      expect(code, `${look}: ${stderr}`).toBe(0)
    }
    execFileSync('mount', ['-o', 'remount,rw', disk])
    expect((await project.release(['resume'])).code).toBe(0)
    await expectDone(project)
  })
})

describe('a state folder that goes away', () => {
  const moving = `import { release } from 'release-as-code'
import { appendFileSync, renameSync } from 'node:fs'
export default release('small', { version: '1.0.0' })
  .stage('small', s => s
    .step('lint', () => appendFileSync('effects.log', 'lint\\n'), { idempotent: true, undo: 'none' })
    .step('one', () => {
      appendFileSync('effects.log', 'one\\n')
      if (process.env.MOVE === 'yes') renameSync('.release', 'elsewhere')
    }, { observe: () => null, undo: 'none' })
    .step('two', () => appendFileSync('effects.log', 'two\\n'), { idempotent: true, undo: 'none' }))
`

  test('while a step runs stops the run there, and it goes on when the folder is back', async () => {
    const project = smallProject()
    project.write('release.config.ts', moving)
    const lost = await project.release(['run'], { env: { MOVE: 'yes' } })
    expectRefusal(
      lost,
      /error\[state-gone\]: The run \S+ can no longer be written: its folder \S+ was removed/,
    )
    expect(effectsLeft(project)).toEqual({ lint: 1, one: 1, two: 0 })
    expect(existsSync(join(project.root, '.release', 'runs'))).toBe(false)
    rmSync(join(project.root, '.release'), { recursive: true, force: true })
    renameSync(join(project.root, 'elsewhere'), join(project.root, '.release'))
    expect((await project.release(['resume'])).code).toBe(0)
    await expectDone(project)
  })

  test('before a resume means that there is no such run, and says where it looked', async () => {
    const project = smallProject()
    const { code, stderr } = await project.release(['resume'])
    expect(code).toBe(2)
    expect(stderr).toContain(`There is no run in ${join(project.root, '.release')}.`)
  })

  test('or is no folder is refused', async () => {
    const project = smallProject()
    project.write('state', 'a file')
    const refused = await project.release(['run', '--state', 'state'])
    expectRefusal(refused, /ENOTDIR|EEXIST/, join(project.root, 'state'))
    const listed = await project.release(['list', '--state', 'state'])
    expect(listed.code).toBe(4)
  })
})
