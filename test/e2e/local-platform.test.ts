/** What only the local platform does: processes, their surroundings, what it says, and how it is stopped. */
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { waitUntil } from '../../runner/adapters/loopback/process-table.ts'
import { localStatus, renderLocalStatus } from '../../runner/adapters/platforms/local/status.ts'
import { localStop, renderStopped } from '../../runner/adapters/platforms/local/stop.ts'
import type { ReleaseError } from '../../src/errors.ts'
import { ALL_STABLE, type Revision, type Side } from '../../src/plan/plan.ts'
import type { Desired, Holder, PlatformContext } from '../../src/run/ports.ts'
import { type LocalRig, localRig, processesWith } from '../contract/local-rig.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let rig: LocalRig
let one: Revision
let two: Revision

beforeAll(async () => {
  rig = await localRig()
  one = await rig.revision('1.0.0')
  two = await rig.revision('2.0.0')
})
afterAll(() => rig.dispose())

const context = (more: Partial<PlatformContext> = {}): PlatformContext => ({
  signal: new AbortController().signal,
  fence: 0,
  log: () => undefined,
  secret: async () => '',
  ...more,
})

const desired = (component: string, revision: Revision | null, more: Partial<Desired> = {}): Desired => ({
  environment: rig.environment,
  component,
  side: 'stable',
  from: 0,
  to: 1,
  revision: revision && { ...revision, component },
  maxUnavailable: 0,
  ...more,
})

const converge = (component: string, revision: Revision | null, more: Partial<PlatformContext> = {}) =>
  rig.platform.converge(desired(component, revision), context(more))

const failureOf = (promise: Promise<unknown>): Promise<ReleaseError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: ReleaseError) => error,
  )

const ask = async (component: string, address: string): Promise<string> =>
  (await fetch(`${await rig.platform.gateway(rig.environment)}/${component}${address}`)).text()

describe('an instance', () => {
  test('is told where it stands, gets its secrets, and nothing else of the runner’s environment', async () => {
    vi.stubEnv('RUNNERS_OWN', 'not for services')
    const env = { MODE: { value: 'careful' }, PASSWORD: { secret: 'DB' } }
    const revision = { ...one, env }
    await converge('told', revision, { secret: async name => `value of ${name}` })
    const { PATH, PORT, RELEASE_INSTANCE, ...seen } = JSON.parse(await ask('told', '/env')) as Record<
      string,
      string
    >
    const {
      HOME: _h,
      USER: _u,
      LOGNAME: _l,
      SHELL: _s,
      LANG: _g,
      LC_ALL: _c,
      TZ: _z,
      TMPDIR: _t,
      LC_CTYPE: _y,
      ...own
    } = seen
    expect(own).toEqual({
      HOST: '127.0.0.1',
      MODE: 'careful',
      PASSWORD: 'value of DB',
      RELEASE_COMPONENT: 'told',
      RELEASE_ENVIRONMENT: rig.environment,
      RELEASE_GATEWAY: await rig.platform.gateway(rig.environment),
      RELEASE_SLOT: '0',
      RELEASE_VERSION: '1.0.0',
    })
    expect(PATH!.split(':')[0]).toBe(path.join(rig.home, 'store', one.digest, 'files/node_modules/.bin'))
    expect(Number(PORT)).toBeGreaterThan(0)
    expect(RELEASE_INSTANCE).toMatch(/^[0-9a-f]{32}$/)
    vi.unstubAllEnvs()
  })

  test('a secret’s value is in no file of the platform’s', async () => {
    const { stdout } = await grep('value of DB', rig.home)
    expect(stdout).toBe('')
  })

  test('with another environment is another revision', async () => {
    const before = await converge('settings', one)
    const after = await converge('settings', { ...one, env: { MODE: { value: 'bold' } } })
    expect(after.instances[0]!.pid).not.toBe(before.instances[0]!.pid)
  })

  test('lies in a process group of its own', async () => {
    const { instances } = await converge('grouped', one)
    const stat = await readFile(`/proc/${instances[0]!.pid}/stat`, 'utf8')
    const [, , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    expect([group, session]).toEqual([String(instances[0]!.pid), String(instances[0]!.pid)])
  })

  test('that starts others is ended with them, also when they ignore SIGTERM', async () => {
    const script = `
      const { spawn } = require('node:child_process')
      spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1e6)'], { detached: true })
      require('node:http').createServer((_, r) => r.end()).listen(process.env.PORT, process.env.HOST)`
    const parent = { ...one, start: ['node', '-e', script] }
    await converge('parent', parent)
    const mine = () => processesWith('RELEASE_COMPONENT=parent').length
    expect(mine()).toBe(2)
    vi.stubEnv('RELEASE_LOCAL_GRACE_MS', '100')
    await localStop(rig.home, { environment: rig.environment, settings: { stopGrace: 100 } })
    vi.unstubAllEnvs()
    expect(mine()).toBe(0)
  })

  test('finds another port where its own was taken meanwhile', async () => {
    // The first process of this revision tries the gateway's port, which is taken; the next one its own.
    const marker = path.join(rig.home, 'tried')
    const script = `
      const { existsSync, writeFileSync } = require('node:fs')
      const first = !existsSync(process.env.MARKER)
      writeFileSync(process.env.MARKER, '')
      const port = first ? new URL(process.env.RELEASE_GATEWAY).port : process.env.PORT
      require('node:http').createServer((_, r) => r.end()).listen(port, process.env.HOST)`
    const lines: string[] = []
    const unlucky = { ...one, start: ['node', '-e', script], env: { MARKER: { value: marker } } }
    const { instances } = await converge('unlucky', unlucky, { log: line => lines.push(line) })
    expect(instances).toHaveLength(1)
    expect(lines.filter(line => line.includes('was taken meanwhile'))).toHaveLength(1)
  })
})

describe('failures say what, where and what last', () => {
  const anonymous = (error: ReleaseError): string =>
    error.message.replace(rig.environment, 'ENVIRONMENT').replace(/\d+(\.\d+)?ms/g, 'TIME')

  test('an instance that ends', async () => {
    const error = await failureOf(converge('sad', await rig.broken('ends at once')))
    // It may have ended before it could be asked at all.
    expect(anonymous(error)).toMatch(
      /^sad 3\.0\.0 slot 0 in ENVIRONMENT exited with code 7 before it was healthy \(GET \/health: (no listener on its port|not asked yet)\)\.$/,
    )
    expect(error).toMatchObject({ code: 'instance-exited', tail: 'cannot reach the database' })
    expect(await readFile(/Its whole log is (.*)\.$/.exec(error.hint!)![1]!, 'utf8')).toBe(
      'cannot reach the database\n',
    )
  })

  test('an instance that is never healthy, its secrets scrubbed', async () => {
    const ill = { ...(await rig.broken('is never healthy')), env: { PASSWORD: { secret: 'DB' } } }
    const error = await failureOf(converge('ill', ill, { secret: async () => 'correct horse' }))
    expect(anonymous(error)).toBe(
      'ill 3.0.0 slot 0 in ENVIRONMENT was not healthy within 4000 ms: GET /health last gave status 503.',
    )
    expect(error).toMatchObject({ code: 'health-timeout', tail: 'connecting with [secret DB]' })
  })

  test('a program that is not there', async () => {
    const error = await failureOf(converge('lost', { ...one, start: ['no-such-program'] }))
    expect(anonymous(error)).toMatchInlineSnapshot(
      `"lost 1.0.0 slot 0 could not be started with no-such-program: there is no such program."`,
    )
    expect(error.code).toBe('start-failed')
  })

  test('a secret that is missing stops before anything is started', async () => {
    const secret = () => Promise.reject(Object.assign(new Error('no secret'), { code: 'secret-missing' }))
    const error = await failureOf(converge('poor', { ...one, env: { A: { secret: 'A' } } }, { secret }))
    expect(error.code).toBe('secret-missing')
    expect((await rig.platform.observe(rig.environment, 'poor')).instances).toEqual([])
  })

  test('kept files that were changed are not started; keeping them again mends them', async () => {
    const source = await rig.source('2.0.0')
    await writeFile(path.join(source, 'unique.txt'), 'unique')
    const digest = await rig.platform.digest(source)
    await rig.platform.keep(source, digest)
    const kept = path.join(rig.home, 'store', digest, 'files', 'server.js')
    await chmod(kept, 0o644)
    await writeFile(kept, '// something else')
    const fresh = (await import('../../runner/adapters/platforms/local/platform.ts')).localPlatform(rig)
    const error = await failureOf(fresh.converge(desired('damaged', { ...two, digest }), context()))
    expect(error.code).toBe('store-damaged')
    await fresh.keep(source, digest)
    const observed = await fresh.converge(desired('damaged', { ...two, digest }), context())
    expect(observed.instances.map(instance => instance.healthy)).toEqual([true])
  })
})

describe('the gateway', () => {
  test('killed, it comes back with the same traffic, by whatever asks it first', async () => {
    await converge('divided', one)
    await rig.platform.converge(desired('divided', two, { side: 'canary' }), context())
    const traffic = { ...ALL_STABLE, canary: 100 }
    await rig.platform.shift(rig.environment, 'divided', traffic, context())
    const { environments } = await localStatus(rig.home)
    const { gateway } = environments.find(each => each.environment === rig.environment)!
    process.kill(gateway!.pid, 'SIGKILL')
    const observed = await rig.platform.observe(rig.environment, 'divided')
    expect(observed.traffic).toEqual(traffic)
    expect(observed.instances.map(({ side, routed }) => [side, routed])).toEqual([
      ['stable', true],
      ['canary', true],
    ])
    expect(JSON.parse(await ask('divided', '/'))).toMatchObject({ version: '2.0.0' })
  })

  test('tells Prometheus of sides, weights and copies', async () => {
    await converge('told-of', one)
    await rig.platform.converge(desired('told-of', two, { side: 'canary' }), context())
    const traffic = { ...ALL_STABLE, canary: 0, mirror: 100 }
    await rig.platform.shift(rig.environment, 'told-of', traffic, context())
    await ask('told-of', '/')
    const lines = async () =>
      (await (await fetch(`${await rig.platform.gateway(rig.environment)}/-/metrics`)).text()).split('\n')
    const canary = 'component="told-of",side="canary",version="2.0.0",slot="0"'
    const mirrored = `release_gateway_mirrored_total{${canary}} 1`
    expect(await waitUntil(async () => (await lines()).includes(mirrored), 20_000)).toBe(true)
    expect(await lines()).toEqual(
      expect.arrayContaining([
        // The versions differ, and they are in the answers.
        `release_gateway_mismatched_total{${canary}} 1`,
        'release_gateway_requests_total{component="told-of",side="stable",version="1.0.0",slot="0",code="200"} 1',
        'release_gateway_weight{component="told-of",side="stable"} 100',
        'release_gateway_weight{component="told-of",side="canary"} 0',
      ]),
    )
  })

  test('killed in the middle of a change, it is started again and the change is finished', async () => {
    await converge('kept-going', one)
    const { environments } = await localStatus(rig.home)
    const { gateway } = environments.find(each => each.environment === rig.environment)!
    let killed = false
    const log = (line: string) => {
      if (killed || !line.includes('healthy after')) return
      killed = true
      process.kill(gateway!.pid, 'SIGKILL')
    }
    const after = await converge('kept-going', two, { log })
    expect(killed).toBe(true)
    expect(after.instances.map(({ revision, routed }) => [revision.version, routed])).toEqual([
      ['2.0.0', true],
    ])
    expect(await rig.platform.gateway(rig.environment)).toBe(gateway!.address)
    expect(JSON.parse(await ask('kept-going', '/'))).toMatchObject({ version: '2.0.0' })
  })
})

describe('status and stop', () => {
  const holder = (): Holder => ({
    run: 'phoenix-3.0.0-1',
    who: 'alice@techcorp.example',
    host: hostname(),
    pid: process.pid,
    cwd: '/home/alice/shop',
    since: 1,
  })

  test('say who owns what and what runs; a living owner’s is not stopped; locks outlive a stop', async () => {
    const own = await localRig()
    try {
      const revision = { ...(await own.revision('1.0.0')), component: 'shop' }
      const lock = await own.platform.lock(own.environment, 'shop', holder())
      if (lock.type !== 'acquired') throw new Error('nobody else knows it')
      const order = { ...desired('shop', revision), environment: own.environment, to: 2 }
      await own.platform.converge(order, context({ fence: lock.fence }))

      const owned = renderLocalStatus(await localStatus(own.home))
      expect(plain(owned, own)).toMatchInlineSnapshot(`
        "contract / ENVIRONMENT   gateway http://127.0.0.1:PORT (process PID)
          shop   owned by run phoenix-3.0.0-1 of alice@techcorp.example (process PID on HOST, in /home/alice/shop)
            slot 0   1.0.0   healthy, gets traffic   http://127.0.0.1:PORT   process PID
            slot 1   1.0.0   healthy, gets traffic   http://127.0.0.1:PORT   process PID
        "
      `)
      await expect(localStop(own.home)).rejects.toMatchObject({ code: 'environment-owned', exitCode: 4 })
      expect(await own.processes()).toHaveLength(2)

      await lock.release()
      expect(renderStopped(await localStop(own.home, { environment: 'another' }))).toBe(
        'There was nothing to stop.\n',
      )
      expect(await own.processes()).toHaveLength(2)
      expect(plain(renderStopped(await localStop(own.home)), own)).toMatchInlineSnapshot(`
        "contract / ENVIRONMENT: stopped shop (2), the gateway
        "
      `)
      expect(await own.processes()).toEqual([])
      expect(plain(renderLocalStatus(await localStatus(own.home)), own)).toMatchInlineSnapshot(`
        "contract / ENVIRONMENT   gateway not running
          shop   last changed by run phoenix-3.0.0-1 of alice@techcorp.example
            no instance
        "
      `)
      expect(await own.platform.holderOf(own.environment, 'shop')).toMatchObject({
        state: 'released',
        fence: lock.fence,
        holder: { run: 'phoenix-3.0.0-1' },
      })
      const next = await own.platform.lock(own.environment, 'shop', { ...holder(), run: 'phoenix-3.0.0-2' })
      expect(next).toMatchObject({ type: 'acquired', fence: lock.fence + 1 })
    } finally {
      await own.dispose()
    }
  })

  test('show sides and weights, and stop them all', async () => {
    const own = await localRig()
    try {
      const [first, second] = [await own.revision('1.0.0'), await own.revision('2.0.0')]
      const order = (side: Side, revision: Revision) => ({
        ...desired('shop', revision, { side }),
        environment: own.environment,
      })
      await own.platform.converge(order('stable', first), context())
      await own.platform.converge(order('canary', second), context())
      const traffic = { ...ALL_STABLE, canary: 25, sticky: 'side', carried: true }
      await own.platform.shift(own.environment, 'shop', traffic, context())
      expect(plain(renderLocalStatus(await localStatus(own.home)), own)).toMatchInlineSnapshot(`
        "contract / ENVIRONMENT   gateway http://127.0.0.1:PORT (process PID)
          shop
            traffic: canary 25 %, callers kept by the cookie side, sides carried on
            slot 0   1.0.0   healthy, gets traffic   http://127.0.0.1:PORT   process PID
            canary 0   2.0.0   healthy, gets traffic   http://127.0.0.1:PORT   process PID
        "
      `)
      const stopped = renderStopped(await localStop(own.home))
      expect(plain(stopped, own)).toBe('contract / ENVIRONMENT: stopped shop (2), the gateway\n')
      expect(await own.processes()).toEqual([])
      // Nothing is started only to be asked what runs, or to be stopped again.
      const { instances, traffic: left } = await own.platform.observe(own.environment, 'shop')
      expect([instances, left]).toEqual([[], ALL_STABLE])
      const again = renderStopped(await localStop(own.home))
      expect(plain(again, own)).toBe('contract / ENVIRONMENT: nothing ran\n')
    } finally {
      await own.dispose()
    }
  })

  test('a home that does not exist has nothing', async () => {
    expect(renderLocalStatus(await localStatus('/nowhere'))).toBe(
      'Nothing runs on the local platform (/nowhere).\n',
    )
    expect(await localStop('/nowhere')).toEqual({ environments: [] })
  })

  const plain = (text: string, { environment }: LocalRig): string =>
    text
      .replaceAll(environment, 'ENVIRONMENT')
      .replaceAll(hostname(), 'HOST')
      .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
      .replace(/process \d+/g, 'process PID')
})

/** Files below the folder that hold the text. */
const grep = async (text: string, folder: string): Promise<{ stdout: string }> => {
  const { execFile } = await import('node:child_process')
  return new Promise(resolve =>
    execFile('grep', ['-rl', '--', text, folder], (_, stdout) => resolve({ stdout })),
  )
}
