import { durablePortContract } from './durable-port.ts'
import { embeddedRig } from './embedded-rig.ts'

durablePortContract('the embedded ground', embeddedRig)
