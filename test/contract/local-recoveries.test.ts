import { afterAll, beforeAll, expect, test } from 'vitest'
import { recordedRouter } from '../../runner/adapters/loopback/kept-routing.ts'
import { gatewayKind } from '../../runner/adapters/platforms/local/gateway-router.ts'
import { environmentFolders, routerFolder } from '../../runner/adapters/platforms/local/home.ts'
import { mend } from '../../runner/engine/mend.ts'
import type { Expected } from '../../src/run/validation.ts'
import { type LocalRig, localRig } from './local-rig.ts'
import { platformRecoveriesContract } from './platform-recoveries.ts'

platformRecoveriesContract('local', localRig)

const LONG = 120_000
const context = { signal: new AbortController().signal, fence: 0, log: () => {}, secret: async () => '' }

let rig: LocalRig
let folder: string
let expected: Expected
beforeAll(async () => {
  rig = await localRig()
  folder = routerFolder(environmentFolders(rig.home, rig.cluster, rig.environment), 'gateway')
  const revision = { ...(await rig.revision('1.0.0')), component: 'lost' }
  const place = { environment: rig.environment, component: 'lost' }
  expected = { ...place, slots: [{ slot: 0, revision }] }
  await rig.platform.converge(
    { ...place, side: 'stable', from: 0, to: 1, revision, maxUnavailable: 0 },
    context,
  )
}, LONG)
afterAll(() => rig.dispose(), LONG)

const answer = async (): Promise<number> =>
  (await fetch(`${await rig.platform.gateway(rig.environment)}/lost/`)).status

test('routing: a gateway that has died is started again with its routes', { timeout: LONG }, async () => {
  const before = await recordedRouter(folder)
  process.kill(before!.process.pid, 'SIGKILL')
  const { component } = await mend(rig.platform, expected, context)
  expect(component).toMatchObject({ ok: true, differs: [] })
  expect((await recordedRouter(folder))?.process.pid).not.toBe(before!.process.pid)
  expect(await answer()).toBe(200)
})

test('routing: an instance that gets no requests gets them again, and a route to nobody goes', {
  timeout: LONG,
}, async () => {
  const router = gatewayKind.open({ environment: rig.environment, folder })
  const [own] = (await router.routing('lost')).routes
  await router.change({
    component: 'lost',
    fence: 0,
    remove: [own!.instance],
    add: [{ ...own!, instance: 'nobody', slot: 7, port: 1 }],
  })
  const { component, recoveries } = await mend(rig.platform, expected, context)
  expect(recoveries.map(({ name, problem, outcome }) => [name, problem, outcome])).toEqual([
    ['routing', '1.0.0 in slot 0 gets no requests', 'mended'],
  ])
  expect(component.ok, component.differs.join()).toBe(true)
  expect((await router.routing('lost')).routes.map(({ instance }) => instance)).toEqual([own!.instance])
  expect(await answer()).toBe(200)
})
