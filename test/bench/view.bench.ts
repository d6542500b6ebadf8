/**
 * What drawing a run of ten thousand nodes costs: `node test/bench/view.bench.ts [--quick]`.
 *
 * The nodes do nothing, so that all that is measured is the engine, its journal on the disk, and the view; a real run's
 * commands take a thousand times as long. In layers: twenty at a time, each waiting for three of the layer before. All
 * at once: none ends before the last has begun. Drawn and not drawn take turns in one process. The lag of the loop is
 * the time by which a timer of one millisecond comes late, counted from the first node to the last.
 */
import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHistogram } from 'node:perf_hooks'
import { embeddedGround } from '../../runner/engine/embedded-ground.ts'
import { runEngine } from '../../runner/engine/engine.ts'
import { startTaskList } from '../../runner/host/task-list.ts'
import { acquireRunLock } from '../../runner/journal/run-lock.ts'
import { createRun } from '../../runner/journal/run-store.ts'
import { createRunView } from '../../runner/views/model.ts'
import type { OutStream } from '../../runner/views/stream-writer.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { foldRun } from '../../src/run/fold.ts'
import { widePlan } from '../fixtures/view-plan.ts'
import { type Bench, median, type Row, ratioOf, toMarkdown } from './table.ts'

/** A terminal that takes everything at once, and counts: what a real one does with it is its own time. */
class FastTerminal extends EventEmitter implements OutStream {
  readonly isTTY = true
  readonly columns = 120
  readonly rows = 40
  written = 0

  write(text: string, done?: (error?: Error | null) => void): boolean {
    this.written += text.length
    queueMicrotask(() => done?.())
    return true
  }
}

interface Cost {
  /** From the first node to the last, in milliseconds. */
  readonly wall: number
  readonly processor: number
  /** Of the loop, in milliseconds. */
  readonly lag: { readonly p99: number; readonly longest: number }
}

/** How late a timer of one millisecond comes, again and again, until it is stopped. */
function watchLag(): () => Cost['lag'] {
  const lags = createHistogram()
  let due = performance.now() + 1
  const look = (): void => {
    const now = performance.now()
    lags.record(Math.max(1, Math.round((now - due) * 1000)))
    due = now + 1
    timer = setTimeout(look, 1)
  }
  let timer = setTimeout(look, 1)
  return () => {
    clearTimeout(timer)
    return { p99: lags.percentile(99) / 1000, longest: lags.max / 1000 }
  }
}

interface Shape {
  readonly name: string
  readonly plan: Plan
  /** How many nodes have to have begun before one ends. */
  readonly together: number
}

const shapesOf = (count: number): readonly Shape[] => {
  const layers: Plan = { ...widePlan(count), concurrency: 20 }
  const flat: Plan = {
    ...layers,
    concurrency: count,
    stages: layers.stages.map(stage => ({ ...stage, after: [] })),
    nodes: layers.nodes.map(node => ({ ...node, needs: [] })),
  }
  return [
    { name: 'in layers', plan: layers, together: 1 },
    { name: 'all at once', plan: flat, together: count },
  ]
}

interface Subject {
  readonly shape: Shape
  readonly root: string
  readonly draws: boolean
}

async function runOnce({ shape: { plan, together }, root, draws }: Subject): Promise<Cost> {
  const bundle = join(root, 'bundle.js')
  writeFileSync(bundle, 'export default {}\n')
  const folder = await createRun(join(root, '.release'), {
    release: plan.release.name,
    version: plan.release.version,
    who: 'bench',
    root,
    definition: bundle,
    plan: { hash: plan.hash, text: '{}' },
    bundle: { hash: plan.bundle, path: bundle },
    at: Date.now(),
  })
  const holder = {
    run: folder.id,
    who: 'bench',
    host: 'here',
    pid: process.pid,
    cwd: root,
    since: Date.now(),
  }
  const lock = await acquireRunLock(folder.path, holder)
  if (lock.type === 'held') throw new Error('a new run is held by somebody')
  const view = createRunView(plan)
  const list = draws
    ? await startTaskList(view, { stream: new FastTerminal(), color: true, now: Date.now })
    : null
  const ground = await embeddedGround({
    journal: folder.journal,
    inbox: folder.inbox,
    lock,
    onEvent: (event, source) => view.apply(event, source),
  })
  const state = foldRun(plan, ground.history)
  const enough = Promise.withResolvers<void>()
  let begun = 0
  // What the building of plan, state and view has left behind is not what is measured.
  globalThis.gc?.()
  const lag = watchLag()
  const before = process.cpuUsage()
  const began = performance.now()
  const ended = await runEngine({
    state,
    opening: [
      {
        type: 'run-started',
        run: folder.id,
        release: plan.release.name,
        version: plan.release.version,
        plan: plan.hash,
        bundle: plan.bundle,
        who: 'bench',
        only: null,
      },
    ],
    port: ground,
    perform: async ({ work, attempt }) => {
      view.output(work.key, `output of ${work.key}\n`)
      begun += 1
      if (begun >= together) enough.resolve()
      await enough.promise
      return [
        {
          type: 'node-succeeded',
          node: work.key,
          attempt,
          value: null,
          summary: null,
          warning: null,
          how: 'performed',
        },
      ]
    },
    signatures: { verify: async () => ({ ok: false, reason: 'nobody signs here' }) },
    patience: 0,
    now: () => ground.time(),
  })
  await list?.stop()
  const wall = performance.now() - began
  const { user, system } = process.cpuUsage(before)
  const cost = { wall, processor: (user + system) / 1000, lag: lag() }
  await ground.close()
  await lock.release()
  if (ended.type !== 'finished' || ended.outcome !== 'succeeded') throw new Error(JSON.stringify(ended))
  return cost
}

export const rows: Bench = async ({ quick, progress }) => {
  const count = quick ? 1_000 : 10_000
  const turns = quick ? 3 : 7
  const root = mkdtempSync(join(tmpdir(), 'view-bench-'))
  try {
    const found: Row[] = []
    for (const shape of shapesOf(count)) {
      const costs: Costs = { drawn: [], plain: [] }
      for (let turn = -1; turn < turns; turn += 1) {
        progress(`view, ${shape.name}: ${turn < 0 ? 'warming up' : `turn ${turn + 1} of ${turns}`}`)
        for (const which of turn % 2 === 0 ? (['drawn', 'plain'] as const) : (['plain', 'drawn'] as const)) {
          const cost = await runOnce({ shape, root, draws: which === 'drawn' })
          if (turn >= 0) costs[which].push(cost)
        }
      }
      found.push(...tableOf(`${count.toLocaleString('en-US')} nodes ${shape.name}`, count, costs))
    }
    return found
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

type Costs = Readonly<Record<'drawn' | 'plain', Cost[]>>

function tableOf(what: string, count: number, { drawn, plain }: Costs): readonly Row[] {
  const row = (name: string, unit: string, of: (cost: Cost) => number, aim?: string): Row => ({
    area: 'view',
    name: `${what}, drawn: ${name}`,
    value: median(drawn.map(of)),
    unit,
    ratio: ratioOf(drawn.map(of), plain.map(of)),
    against: 'not drawing',
    ...(aim === undefined ? {} : { aim }),
  })
  return [
    row('from the first to the last', 'ms', cost => cost.wall, 'at most 1.1 of it'),
    row('processor time of a node', 'µs', cost => (cost.processor * 1000) / count),
    row('lag of the loop, 99th percentile', 'ms', cost => cost.lag.p99, 'below 10 ms'),
    row('lag of the loop, longest', 'ms', cost => cost.lag.longest, 'below 10 ms'),
  ]
}

if (import.meta.main) {
  const quick = process.argv.includes('--quick')
  const progress = (text: string): void => void process.stderr.write(`${text}\n`)
  console.log(toMarkdown(await rows({ quick, progress })))
}
