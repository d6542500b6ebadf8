/**
 * One way of running the commands of a graph, as a process of its own: `node commands-row.ts ROW COUNT FOLDER`.
 *
 * Every row does the same: COUNT commands that do nothing, in layers of 20, each waiting for three of the layer
 * before, 8 at a time.
 */

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { $ } from 'zx/core'
import { processCommands } from '../../runner/adapters/commands/commands.ts'
import { launchDirectly } from '../../runner/adapters/commands/direct-launch.ts'
import type { Launch } from '../../runner/adapters/commands/launch.ts'
import { attached } from '../../runner/cli/running.ts'
import { openDisplay } from '../../runner/display.ts'
import { execute } from '../../runner/execute.ts'
import { createRun } from '../../runner/journal/run-store.ts'
import type { ReleaseModel } from '../../src/definition/model.ts'
import { sealPlan, type UnsealedPlan } from '../../src/plan/canonical.ts'
import { PLAN_FORMAT, type Plan } from '../../src/plan/plan.ts'
import { createScrubber } from '../../src/run/scrub.ts'

const layer = 20
const atOnce = 8

/** The numbers of the commands that a command waits for. */
export const needsOf = (number: number): readonly number[] => {
  const first = (Math.floor(number / layer) - 1) * layer
  return first < 0 ? [] : [0, 7, 13].map(step => first + ((number + step) % layer))
}

/** Runs the graph, a semaphore's worth at a time. Fails with the first command that does not end with 0. */
async function scheduled(count: number, run: (number: number) => Promise<number | null>): Promise<void> {
  const waiting: (() => void)[] = []
  let free = atOnce
  const enter = async (): Promise<void> => {
    if (free === 0) await new Promise<void>(resolve => waiting.push(resolve))
    else free -= 1
  }
  const leave = (): void => {
    const next = waiting.shift()
    if (next === undefined) free += 1
    else next()
  }
  const ends: Promise<void>[] = []
  for (let number = 0; number < count; number++) {
    const before = needsOf(number).map(need => ends[need])
    const perform = async (): Promise<void> => {
      await Promise.all(before)
      await enter()
      const code = await run(number).finally(leave)
      if (code !== 0) throw new Error(`command ${number} ended with ${code}`)
    }
    ends.push(perform())
  }
  await Promise.all(ends)
}

const spawned = (file: string, args: readonly string[]): Promise<number | null> =>
  new Promise((resolve, reject) => spawn(file, args).once('error', reject).once('close', resolve))

/** A plan of gates, nothing else. */
function planOf(count: number): Plan {
  const key = (number: number): string => `all/c${number}`
  const nodes = Array.from({ length: count }, (_, number) => ({
    key: key(number),
    stage: 'all',
    title: `c${number}`,
    needs: needsOf(number).map(key),
    after: [],
    timeout: 60_000,
    retry: { limit: 0, delay: 0, maxDelay: 0 },
    undo: { kind: 'nothing' } as const,
    operation: {
      kind: 'gate' as const,
      name: `c${number}`,
      required: true,
      check: { kind: 'command' as const, command: { argv: ['true'], cwd: '' } },
    },
  }))
  const unsealed: UnsealedPlan = {
    format: PLAN_FORMAT,
    release: { name: 'bench', version: '1.0.0' },
    bundle: '0'.repeat(64),
    params: {},
    policy: 'stop',
    concurrency: atOnce,
    components: [],
    environments: [],
    secrets: [],
    approvers: null,
    facts: { live: {}, sources: {} },
    stages: [{ name: 'all', after: [], policy: 'stop' }],
    nodes,
    positions: {},
  }
  return sealPlan(unsealed, pieces =>
    createHash('sha256')
      .update([...pieces].join(''))
      .digest('hex'),
  )
}

/** The whole way from a plan to the end of its run, as `release run` goes it once the plan is made. */
async function throughTheEngine(count: number, root: string): Promise<void> {
  const plan = planOf(count)
  const bundle = join(root, 'bundle.js')
  writeFileSync(bundle, 'export default {}\n')
  const run = {
    release: plan.release.name,
    version: plan.release.version,
    who: 'bench',
    root,
    definition: bundle,
    plan: { hash: plan.hash, text: `${JSON.stringify(plan, null, 2)}\n` },
    bundle: { hash: plan.bundle, path: bundle },
    at: Date.now(),
  }
  const folder = await createRun(join(root, '.release'), run)
  const { stdout, stderr, env } = process
  const color = { stdout: false, stderr: false }
  const ended = await execute({
    folder,
    plan,
    // Only its functions would be asked for, and a gate that runs a command has none.
    definition: { stages: [] } as unknown as ReleaseModel,
    root,
    who: 'bench',
    env,
    display: openDisplay({ stdout, stderr, env, cwd: root, json: false, color, interactive: false }, plan),
    opening: () => [
      {
        type: 'run-started',
        run: folder.id,
        release: run.release,
        version: run.version,
        plan: plan.hash,
        bundle: plan.bundle,
        who: 'bench',
        only: null,
      },
      attached('bench'),
    ],
    patience: 0,
  })
  if (ended.type !== 'finished' || ended.outcome !== 'succeeded') throw new Error(JSON.stringify(ended))
}

function throughTheAdapter(count: number, root: string, launch?: Launch): Promise<void> {
  const commands = processCommands({
    root,
    secrets: { scrubber: () => createScrubber(() => []) },
    children: { dir: join(root, 'children'), run: 'bench' },
    ...(launch && { launch }),
  })
  const { signal } = new AbortController()
  return scheduled(count, async number => {
    const context = { signal, write: () => {}, node: `c${number}` }
    return (await commands.run({ argv: ['true'], cwd: '' }, context)).exitCode
  })
}

const rows: Readonly<Record<string, (count: number, root: string) => Promise<void>>> = {
  sh: count => scheduled(count, () => spawned('sh', ['-c', 'true'])),
  argv: count => scheduled(count, () => spawned('true', [])),
  zx: count => scheduled(count, async () => (await $({ quiet: true })`true`).exitCode),
  adapter: throughTheAdapter,
  direct: (count, root) => throughTheAdapter(count, root, launchDirectly),
  engine: throughTheEngine,
}

if (import.meta.main) {
  const [row, count, root] = process.argv.slice(2)
  await rows[row!]!(Number(count), root!)
}
