/** HAProxy keeps what every router promises. */
import { test } from 'vitest'
import { haproxyKind } from '../../runner/adapters/routers/haproxy/haproxy.ts'
import { haproxyMissing } from '../rig/haproxy.ts'
import { routerContract } from './router.ts'

const missing = await haproxyMissing()
if (missing === null) routerContract('haproxy', haproxyKind)
else test('router haproxy', ({ skip }) => skip(missing))
