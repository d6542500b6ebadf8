import { localRig } from './local-rig.ts'
import { platformSidesContract } from './platform-sides.ts'

platformSidesContract('local', localRig)
