import { requirePlan } from '../plan-release.ts'
import { readDurations } from '../simulate/durations.ts'
import { simulate as simulatePlan } from '../simulate/simulate.ts'
import { renderSimulation } from '../views/simulation-text.ts'
import { painterOf } from '../views/terminal-text.ts'
import type { Command } from './command.ts'
import { type Io, print } from './io.ts'
import { PLAN_OPTIONS, planRequest, readCount } from './planning.ts'

/** `release simulate`: exit 0 where every failure ends as its policy promises, 1 where there is a hole. */
export const simulate: Command = {
  name: 'simulate',
  usage: '[FILE]',
  summary:
    'Runs the plan in virtual time, fails every node in every way and kills the runner at every write, also of what is taken back: proves that each case ends as its policy promises, or names the hole.',
  example: 'release simulate releases/phoenix.ts',
  options: {
    ...PLAN_OPTIONS,
    seeds: { value: 'N', help: 'orders of events tried for each case (1)' },
    most: { value: 'N', help: 'kills of the runner at the most; beyond, a sample (1000)' },
  },
  takes: [0, 1],
  run: async (invocation, io) => {
    const seeds = readCount(invocation, 'seeds') ?? 1
    const most = readCount(invocation, 'most') ?? 1000
    const request = await planRequest(invocation, io)
    const { project } = request
    const { plan } = await requirePlan(request)
    const durations = await readDurations(project.state, plan.release.name)
    const result = await simulatePlan({
      plan,
      duration: durations.of,
      seeds,
      most,
      onProgress: progressOn(io),
    })
    const known = { runs: durations.runs, nodes: plan.nodes.filter(durations.isKnown).length }
    print(io, {
      json: { ...result, durations: known },
      text: renderSimulation(result, { plan, known, paint: painterOf({ color: io.color.stdout }) }),
    })
    return result.holes.length === 0 ? 0 : 1
  },
}

/** A line that counts, on a terminal and only when it takes longer than a second. */
function progressOn(io: Io): (done: number, total: number) => void {
  const began = Date.now()
  let shown = began
  return (done, total) => {
    if (!io.stderr.isTTY || Date.now() - began < 1000) return
    if (done < total && Date.now() - shown < 100) return
    shown = Date.now()
    io.stderr.write(done === total ? '\r\u001b[K' : `\r\u001b[K${done} of ${total} cases`)
  }
}
