/**
 * Ten thousand nodes through the drawn tree: how much drawing costs, and how long it holds the loop up.
 *
 * The figures are printed and not asserted, since they are the machine's as much as ours; what is asserted is
 * that everything came out.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterAll, expect, test } from 'vitest'
import { startTaskList } from '../../runner/host/task-list.ts'
import { createRunView, type RunView } from '../../runner/views/model.ts'
import { TerminalDouble } from '../fixtures/terminal-double.ts'
import { widePlan } from '../fixtures/view-plan.ts'

const NODES = 10_000
const plan = widePlan(NODES)
const figures: string[] = []
afterAll(() => console.log(figures.join('\n')))

/** A terminal that only counts: what a real one does with the text is its own time. */
class CountingTerminal extends TerminalDouble {
  lines = 0
  override write(text: string, done?: (error?: Error | null) => void): boolean {
    this.lines += text.match(/✓ s\d+ · node \d+/g)?.length ?? 0
    queueMicrotask(() => done?.())
    return true
  }
}

/** Every node begins, prints and ends, twenty at a time, with a turn of the loop between, as an engine would have it. */
async function drive(view: RunView): Promise<void> {
  let at = 1_710_489_600_000
  for (let layer = 0; layer < NODES; layer += 20) {
    const nodes = plan.nodes.slice(layer, layer + 20)
    for (const { key } of nodes) view.apply({ type: 'node-started', node: key, attempt: 1, at: at++ })
    for (const { key } of nodes) view.output(key, `output of ${key}\n`)
    await new Promise(resolve => setImmediate(resolve))
    for (const { key } of nodes) {
      view.apply({
        type: 'node-succeeded',
        node: key,
        attempt: 1,
        at: at++,
        value: null,
        summary: null,
        warning: null,
        how: 'performed',
      })
    }
    await new Promise(resolve => setImmediate(resolve))
  }
}

async function measured(name: string, work: () => Promise<void>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const cpu = process.cpuUsage()
  const began = performance.now()
  await work()
  const took = performance.now() - began
  delay.disable()
  const { user, system } = process.cpuUsage(cpu)
  figures.push(
    `${name}: ${took.toFixed(0)} ms (${((user + system) / 1000).toFixed(0)} ms of CPU), loop lag p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms, max ${(delay.max / 1e6).toFixed(1)} ms`,
  )
  return took
}

test('ten thousand nodes are drawn, each with a line that stays', async () => {
  await import('listr2')
  await measured(`${NODES} nodes, not drawn`, () => drive(createRunView(plan)))
  const terminal = new CountingTerminal({ columns: 120, rows: 40 })
  await measured(`${NODES} nodes, drawn`, async () => {
    const view = createRunView(plan)
    const list = await startTaskList(view, { stream: terminal, color: false, now: Date.now })
    await drive(view)
    await list.stop()
  })
  expect(terminal.lines).toBe(NODES)
}, 60_000)
