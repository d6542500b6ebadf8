/**
 * How many steps a second the engine takes through a run whose steps do nothing, on the journal of the embedded ground.
 *
 * The floor writes the very lines that the run has written, in as many pieces as effects were in flight, each piece
 * one append and one fdatasync, in turns on the same disk: what no journal that keeps a record of each intent and of
 * each outcome can do without.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embeddedGround } from '../../runner/engine/embedded-ground.ts'
import { runEngine } from '../../runner/engine/engine.ts'
import { createPerformer } from '../../runner/engine/perform.ts'
import { holderOf } from '../../runner/identity.ts'
import { acquireRunLock } from '../../runner/journal/run-lock.ts'
import { createRun } from '../../runner/journal/run-store.ts'
import { sha256OfPieces } from '../../runner/load/fingerprint.ts'
import { openNodeLogs } from '../../runner/node-logs.ts'
import { createWorld, openSignatures } from '../../runner/wire.ts'
import { compileRelease, resolveRelease } from '../../src/compile/compile.ts'
import type { ReleaseModel } from '../../src/definition/model.ts'
import { release } from '../../src/index.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { foldRun } from '../../src/run/fold.ts'
import { type Bench, median, type Row, ratioOf } from './table.ts'

interface Made {
  readonly plan: Plan
  readonly definition: ReleaseModel
}

/** Steps that do nothing, all free to start at once. */
function releaseOf(steps: number, concurrency: number): Made {
  const names = Array.from({ length: steps }, (_, n) => `s${n}`)
  const made = release('steps', { version: '1.0.0', concurrency }).stage('all', stage =>
    stage.parallel(parts =>
      parts.each(names, (part, name) =>
        part.step(name, async () => {}, { idempotent: true, undo: 'not-needed' }),
      ),
    ),
  )
  const definition = (made as unknown as Record<symbol, ReleaseModel>)[Symbol.for('release-as-code/model')]!
  const resolved = resolveRelease({ model: definition, params: {}, locate: () => undefined })
  const { plan, diagnostics } = compileRelease(resolved, {
    bundle: '0'.repeat(64),
    components: new Map(),
    live: {},
    approvers: null,
    diagnostics: [],
    sha256: sha256OfPieces,
  })
  if (plan === null) throw new Error(JSON.stringify(diagnostics))
  return { plan, definition }
}

/** Runs it as `release run` does, but for a view. Returns the milliseconds of the engine and what the journal holds. */
async function run({ plan, definition }: Made, root: string): Promise<{ took: number; lines: string[] }> {
  const bundle = join(root, 'bundle.js')
  writeFileSync(bundle, '')
  const { release: of } = plan
  const folder = await createRun(join(root, '.release'), {
    release: of.name,
    version: of.version,
    who: 'bench',
    root,
    definition: bundle,
    plan: { hash: plan.hash, text: JSON.stringify(plan) },
    bundle: { hash: plan.bundle, path: bundle },
    at: Date.now(),
  })
  const lock = await acquireRunLock(folder.path, holderOf(folder.id, 'bench', root))
  if (lock.type !== 'acquired') throw new Error('the run is held')
  const ground = await embeddedGround({ journal: folder.journal, inbox: folder.inbox, lock })
  const logs = openNodeLogs(folder, () => {})
  const world = await createWorld({
    plan,
    definition,
    folder,
    root,
    logs,
    fences: new Map(),
    env: process.env,
  })
  const from = performance.now()
  const ended = await runEngine({
    state: foldRun(plan, ground.history),
    port: ground,
    opening: [
      {
        type: 'run-started',
        run: folder.id,
        release: of.name,
        version: of.version,
        plan: plan.hash,
        bundle: plan.bundle,
        who: 'bench',
        only: null,
      },
    ],
    perform: createPerformer(world),
    signatures: await openSignatures(plan),
    patience: 0,
    now: () => ground.time(),
  })
  const took = performance.now() - from
  await ground.close()
  logs.close()
  await lock.release()
  if (ended.type !== 'finished' || ended.outcome !== 'succeeded') throw new Error(JSON.stringify(ended))
  return { took, lines: readFileSync(folder.journal, 'utf8').split('\n').slice(1, -1) }
}

/** Milliseconds to write the lines, `atOnce` of them to an append and an fdatasync. */
async function floor(lines: readonly string[], atOnce: number, path: string): Promise<number> {
  const pieces = Array.from({ length: Math.ceil(lines.length / atOnce) }, (_, n) =>
    Buffer.from(`${lines.slice(n * atOnce, (n + 1) * atOnce).join('\n')}\n`),
  )
  const file = await open(path, 'a')
  const from = performance.now()
  for (const piece of pieces) {
    await file.write(piece)
    await file.datasync()
  }
  const took = performance.now() - from
  await file.close()
  return took
}

export const rows: Bench = async ({ quick, progress }) => {
  const found: Row[] = []
  for (const concurrency of quick ? [8] : [8, 20, 100]) {
    const steps = quick ? 500 : concurrency * 150
    const made = releaseOf(steps, concurrency)
    const times = { ours: [] as number[], floor: [] as number[] }
    for (let turn = -1; turn < (quick ? 2 : 7); turn += 1) {
      progress(`${concurrency} at once, turn ${turn + 1}`)
      const root = mkdtempSync(join(tmpdir(), 'steps-bench-'))
      try {
        const { took, lines } = await run(made, root)
        const least = await floor(lines, concurrency, join(root, 'floor'))
        if (turn < 0) continue
        times.ours.push(took)
        times.floor.push(least)
      } finally {
        rmSync(root, { recursive: true })
      }
    }
    found.push({
      area: 'running',
      name: `steps a second, ${concurrency} at once, every intent and outcome on disk`,
      value: (steps * 1000) / median(times.ours),
      unit: 'steps/s',
      ratio: ratioOf(times.floor, times.ours),
      against: 'the same lines appended and synced by nothing else',
      aim: 'at least 0.8',
    })
  }
  return found
}
