/** HAProxy keeps what every router promises (test/contract/router.ts). */
import { haproxyKind } from '../../runner/adapters/routers/haproxy/haproxy.ts'
import { routerContract } from './router.ts'

routerContract('haproxy', haproxyKind)
