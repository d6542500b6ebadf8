/**
 * How soon a killed run goes on: from the start of `release resume` to the first node that had not begun before.
 *
 * A run of 10,000 steps is really run, and killed by SIGKILL when 99 of 100 are done. Each turn takes up a copy of it.
 */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { layered } from './definition.ts'
import { bin, openWorkshop, runNode } from './process.ts'
import { type Bench, median, ratioOf } from './table.ts'

const run = (last: number): string => `async () => {
  if (process.env.TURN === 'resumed') {
    if (n > ${last}) {
      process.stderr.write(\`began \${performance.timeOrigin + performance.now()}\\n\`)
      process.kill(process.pid, 'SIGKILL')
    }
  } else if (n === ${last}) process.kill(process.pid, 'SIGKILL')
}`

const killed = (error: unknown): void => {
  if ((error as { code?: unknown }).code !== 'SIGKILL') throw error
}

export const rows: Bench = async ({ quick, progress }) => {
  const shop = openWorkshop('resume')
  try {
    const nodes = quick ? 1_000 : 10_000
    const file = shop.write('release.config.ts', layered(nodes, run(Math.floor(nodes * 0.94))))
    const start = { cwd: shop.root, env: shop.env }
    const began = join(shop.root, 'began')
    progress(`a run of ${nodes} nodes`)
    await runNode([bin, 'run', file, '--yes', '--state', began], start).catch(killed)
    const waits: number[] = []
    const empty: number[] = []
    const turns = quick ? 2 : 9
    for (let turn = -1; turn < turns; turn += 1) {
      progress(`turn ${turn + 1}`)
      const state = join(shop.root, 'taken-up')
      cpSync(began, state, { recursive: true })
      const { wall } = await runNode(['-e', '0'], start)
      let said = ''
      const from = performance.timeOrigin + performance.now()
      await runNode([bin, 'resume', '--state', state], {
        cwd: shop.root,
        env: { ...shop.env, TURN: 'resumed' },
        onStderr: printed => {
          said = printed
        },
      }).catch(killed)
      const at = /began ([\d.]+)/.exec(said)?.[1]
      if (at === undefined) throw new Error(`no node began: ${said}`)
      if (turn >= 0) {
        waits.push(Number(at) - from)
        empty.push(wall)
      }
      rmSync(state, { recursive: true })
    }
    return [
      {
        area: 'resuming',
        name: `${nodes.toLocaleString('en-US')} nodes, most of them done, to the first new node`,
        value: median(waits),
        unit: 'ms',
        ratio: ratioOf(waits, empty),
        against: 'an empty Node',
        aim: 'at most 500 ms',
      },
    ]
  } finally {
    shop.dispose()
  }
}
