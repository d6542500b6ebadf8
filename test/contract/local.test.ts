import { localRig } from './local-rig.ts'
import { platformContract } from './platform.ts'

platformContract('local', localRig)
