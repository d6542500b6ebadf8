import { durablePortContract } from './durable-port.ts'
import { simulatedRig } from './simulated-rig.ts'

for (const seed of [1, 2, 3, 4, 5])
  durablePortContract(`the simulated ground, seed ${seed},`, () => simulatedRig(seed))
