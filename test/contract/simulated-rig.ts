/** The simulated ground's rig: a run in memory. */
import { SimulatedRun, simulatedGround } from '../../runner/engine/simulated-ground.ts'
import type { Holder } from '../../src/run/ports.ts'
import type { DurableRig } from './durable-port.ts'

const holder = (who: string): Holder => ({
  run: 'rig',
  who,
  host: 'here',
  pid: 1,
  cwd: '/srv/phoenix',
  since: 0,
})

/** A new run whose order of events the seed decides, or the one that is handed in. */
export async function simulatedRig(seed: number, run = new SimulatedRun(1_000_000)): Promise<DurableRig> {
  return {
    open: async () => simulatedGround({ run, seed, holder: holder('alice') }),
    durable: async () => run.events,
    crashPoints: async () => run.events.length + 1,
    crashedAt: point => simulatedRig(seed, run.crashedAfter(point)),
    send: async (key, signal) => run.post(key, signal),
    takeOver: async () => {
      run.takeOver(holder('bob'))
      return holder('bob')
    },
    dispose: async () => {},
  }
}
