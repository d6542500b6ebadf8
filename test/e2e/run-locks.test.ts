/**
 * Two of a kind: two runners at one run, two checkouts at one environment. One goes on; the other changes nothing, exits
 * with 4 and says who has it.
 */
import { existsSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { highestFence, holderOf } from '../../runner/adapters/platforms/local/component-lock.ts'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import {
  CLUSTER,
  type DeployedOptions,
  deployedProject,
  deployFirst,
  liveOf,
  secondCheckout,
} from '../rig/deployed.ts'
import type { Exit, Running, TestProject } from '../rig/project.ts'
import { until } from '../rig/wait.ts'

const LONG = 300_000

const open: TestProject[] = []
afterEach(async () => {
  for (const project of open.splice(0).reverse()) await project.dispose()
})

/** Waits for a file before anything is deployed, with every lock held. */
const gate = `.stage('before', s => s.step('hold', async () => {
  const { existsSync, writeFileSync } = await import('node:fs')
  writeFileSync('held', '')
  while (!existsSync('go')) await new Promise(resolve => setTimeout(resolve, 5))
}, { idempotent: true, undo: 'none' }))`

const projectOf = (more: Partial<DeployedOptions> = {}): TestProject => {
  const project = deployedProject({ policy: 'stop', components: ['a', 'b'], before: gate, ...more })
  open.push(project)
  return project
}

const checkoutOf = (project: TestProject): TestProject => {
  const second = secondCheckout(project)
  open.push(second)
  return second
}

const heldBy = async (project: TestProject, running: Running): Promise<void> => {
  let ended = false
  void running.exit.then(() => {
    ended = true
  })
  await until('the run holds its locks', () => {
    const held = existsSync(join(project.root, 'held'))
    if (ended && !held) throw new Error(`it ended before: ${running.printed()}`)
    return held
  })
}

/** Everything that somebody needs who is told that they cannot go on. */
const expectNamed = (
  refused: Exit,
  holder: { readonly pid: number; readonly project: TestProject },
): void => {
  expect(refused.code).toBe(4)
  expect(refused.stderr).toContain('alice@techcorp.example')
  expect(refused.stderr).toContain(hostname())
  expect(refused.stderr).toContain(`process ${holder.pid},`)
  expect(refused.stderr).toContain(holder.project.root)
  expect(refused.stderr).toMatch(/since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/)
}

test(
  'a second runner at one run is refused and told who runs it, and the first goes on',
  async () => {
    const project = projectOf()
    const first = project.start(['run'])
    await heldBy(project, first)
    const run = project.runs()[0]!
    const before = await project.events(run)
    expectNamed(await project.release(['resume', run]), { pid: first.pid, project })
    const rolled = await project.release(['rollback', run])
    expect(rolled.code).toBe(2)
    expect(await project.events(run)).toEqual(before)
    project.write('go', '')
    expect((await first.exit).code).toBe(0)
  },
  LONG,
)

test(
  'of two resumes at once exactly one goes on',
  async () => {
    const project = projectOf()
    const killed = project.start(['run'])
    await heldBy(project, killed)
    killed.kill('SIGKILL')
    await killed.exit
    const run = project.runs()[0]!
    const both = [project.start(['resume', run]), project.start(['resume', run])] as const
    const loser = await Promise.race(both.map(async (each, index) => ({ exit: await each.exit, index })))
    const winner = both[1 - loser.index]!
    expectNamed(loser.exit, { pid: winner.pid, project })
    project.write('go', '')
    expect((await winner.exit).code).toBe(0)
    expect(await project.eventsOf(run, 'runner-attached')).toHaveLength(2)
  },
  LONG,
)

describe('two checkouts at one environment', () => {
  test(
    'one goes on and the other is told who has it; afterwards the other can',
    async () => {
      const first = projectOf()
      const second = checkoutOf(first)
      const running = first.start(['run'])
      await heldBy(first, running)
      const refused = await second.release(['run'])
      expectNamed(refused, { pid: running.pid, project: first })
      expect(refused.stderr).toContain(first.runs()[0]!)
      first.write('go', '')
      expect((await running.exit).code).toBe(0)
      second.write('go', '')
      expect((await second.release(['run', '--param', 'version=1.0.0'])).code).toBe(0)
      expect(await liveOf(first)).toMatchObject({ a: '1.0.0 1.0.0', b: '1.0.0' })
    },
    LONG,
  )

  test(
    'at the same moment: exactly one goes on, and no lock is left behind by the other',
    async () => {
      const first = projectOf()
      const both = [first, checkoutOf(first)] as const
      const running = both.map(project => project.start(['run']))
      const loser = await Promise.race(running.map(async (each, index) => ({ exit: await each.exit, index })))
      const winner = { pid: running[1 - loser.index]!.pid, project: both[1 - loser.index]! }
      expectNamed(loser.exit, winner)
      winner.project.write('go', '')
      expect((await running[1 - loser.index]!.exit).code).toBe(0)
      expect(await liveOf(first)).toMatchObject({ a: '2.0.0 2.0.0', b: '2.0.0' })
      for (const component of ['a', 'b']) {
        const owner = await holderOf({
          home: first.home,
          cluster: CLUSTER,
          environment: 'production',
          component,
        })
        expect(owner?.state).toBe('released')
      }
    },
    LONG,
  )

  test(
    'a dead holder is taken over from, and what it still writes is refused',
    async () => {
      const first = projectOf()
      await deployFirstWith(first)
      const second = checkoutOf(first)
      rmSync(join(first.root, 'held'))
      rmSync(join(first.root, 'go'))
      const known = first.runs()
      const running = first.start(['run'])
      await heldBy(first, running)
      const killed = first.runs().find(run => !known.includes(run))!
      const place = { home: first.home, cluster: CLUSTER, environment: 'production', component: 'a' }
      const fence = await highestFence(place)
      running.kill('SIGKILL')
      await running.exit
      second.write('go', '')
      expect((await second.release(['run'])).code).toBe(0)
      expect(await highestFence(place)).toBeGreaterThan(fence)
      const before = { live: await liveOf(first), instances: first.instances() }
      const platform = localPlatform({ home: first.home, cluster: CLUSTER })
      const late = platform.converge(
        {
          environment: 'production',
          component: 'a',
          side: 'stable',
          from: 0,
          to: 2,
          revision: null,
          maxUnavailable: 2,
        },
        {
          signal: new AbortController().signal,
          fence,
          log: () => {},
          secret: () => Promise.reject(new Error('none')),
        },
      )
      await expect(late).rejects.toMatchObject({ code: 'fenced' })
      expect({ live: await liveOf(first), instances: first.instances() }).toEqual(before)
      // The one that died finds the world changed, and says so instead of going on.
      const resumed = await first.release(['resume', killed])
      expect(resumed.code).toBe(4)
      expect(resumed.stderr).toContain('has changed since the plan was made')
    },
    LONG,
  )
})

describe('a run that comes back after somebody else has released', () => {
  test(
    'neither goes on nor takes anything back: it says what runs there now',
    async () => {
      const first = projectOf()
      await deployFirstWith(first)
      const known = first.runs()
      const fault = 'effect:before:production/b/rolling/1#1:1'
      expect((await first.release(['run'], { fault })).signal).toBe('SIGKILL')
      const killed = first.runs().find(run => !known.includes(run))!
      expect(await liveOf(first)).toMatchObject({ a: '2.0.0 2.0.0', b: '1.0.0' })
      const second = checkoutOf(first)
      second.write('go', '')
      const other = await second.release(['run', '--param', 'version=1.0.0'])
      expect(other.code).toBe(0)
      for (const args of [
        ['resume', killed],
        ['rollback', killed],
      ]) {
        const refused = await first.release(args)
        expect(refused.code).toBe(4)
        expect(refused.stderr).toContain('a in production is not as this run left it: instance 1 runs 1.0.0')
      }
      expect(await liveOf(first)).toMatchObject({ a: '1.0.0 1.0.0', b: '1.0.0' })
      // What it left can be taken back once the other has taken back its own.
      expect((await second.release(['rollback', other.run])).code).toBe(0)
      expect((await first.release(['resume', killed])).code).toBe(0)
      expect(await liveOf(first)).toMatchObject({ a: '2.0.0 2.0.0', b: '2.0.0' })
    },
    LONG,
  )
})

/** 1.0.0 is there already, with the hold passed. */
const deployFirstWith = async (project: TestProject): Promise<void> => {
  project.write('go', '')
  await deployFirst(project)
}
