import { gatewayKind } from '../../runner/adapters/platforms/local/gateway-router.ts'
import { routerContract } from './router.ts'

routerContract('gateway', gatewayKind)
