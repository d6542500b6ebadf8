/**
 * What a large definition costs to compile: `release plan` as a whole process, its wall time and its peak of memory.
 *
 * The definition has been bundled and its types checked before, as in every call but the first.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { layered } from './definition.ts'
import { bin, type Cost, openWorkshop, runNode } from './process.ts'
import { type Bench, median, type Row } from './table.ts'

export const rows: Bench = async ({ quick, progress }) => {
  const shop = openWorkshop('compile')
  const sizes = quick ? [1_000] : [1_000, 10_000, 100_000]
  try {
    const found: Row[] = []
    for (const size of sizes) {
      const file = shop.write(`release-${size}.ts`, layered(size))
      const out = join(shop.root, `plan-${size}.json`)
      const turns: Cost[] = []
      for (let turn = -1; turn < (quick ? 1 : 5); turn += 1) {
        progress(`${size} nodes, turn ${turn + 1}`)
        const args = [bin, 'plan', file, '--format', 'json', '--out', out]
        const cost = await runNode(args, { cwd: shop.root, env: shop.env, peak: true })
        if (turn >= 0) turns.push(cost)
      }
      const { nodes } = JSON.parse(readFileSync(out, 'utf8')) as { nodes: readonly unknown[] }
      if (Math.abs(nodes.length - size) > size / 50)
        throw new Error(`${nodes.length} nodes instead of ${size}`)
      const name = `release plan of ${size.toLocaleString('en-US')} nodes`
      const aims = size === 100_000 ? [{ aim: 'at most 2,000 ms' }, { aim: 'at most 500 MB' }] : []
      found.push(
        { area: 'compiling', name, value: median(turns.map(t => t.wall)), unit: 'ms', ...aims[0] },
        {
          area: 'compiling',
          name: `${name}, memory`,
          value: median(turns.map(t => t.peak)),
          unit: 'MB',
          ...aims[1],
        },
      )
    }
    return found
  } finally {
    shop.dispose()
  }
}
