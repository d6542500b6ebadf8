import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { processCommands } from '../../../runner/adapters/commands/commands.ts'
import { type GateContext, type GateResult, performGate } from '../../../runner/adapters/gates/gates.ts'
import { ReleaseError } from '../../../src/errors.ts'
import type { PlanCheck } from '../../../src/plan/plan.ts'
import type { Commands } from '../../../src/run/ports.ts'
import { createScrubber } from '../../../src/run/scrub.ts'

let root = ''
let log = ''
beforeEach(async () => {
  log = ''
  root = await mkdtemp(join(tmpdir(), 'gates-'))
  return () => rm(root, { recursive: true, force: true })
})

const perform = (check: PlanCheck, more: Partial<GateContext> = {}): Promise<GateResult> =>
  performGate(check, {
    commands: processCommands({ root, secrets: { scrubber: () => createScrubber(() => []) } }),
    signal: new AbortController().signal,
    write: text => {
      log += text
    },
    node: 'preflight/gate',
    root,
    run: null,
    gateway: async environment => `${base}/gateway-of-${environment}`,
    ...more,
  })
const shell = (code: string, cwd = '') => ({ argv: ['/bin/sh', '-c', code], cwd })

// A server that answers as its path says, on loopback.
let server: Server
let base = ''
const asked: string[] = []
beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    if (request.url === '/silent') return
    if (request.url === '/broken') return void request.socket.destroy()
    const status = Number(/\d{3}/.exec(request.url!)?.[0] ?? 200)
    response.writeHead(status, status === 302 ? { location: '/200' } : {}).end('body')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

describe('a command gate', { timeout: 60_000 }, () => {
  it.each<[string, number, object | string]>([
    ['once', 1, { passed: true, summary: '"true" passed' }],
    ['twice', 2, 'command-cut-off'],
  ])('that was cut off %s is asked anew once, as after a crash', async (_, times, expected) => {
    let left = times
    const cutOff = (): never => {
      throw new ReleaseError('command-cut-off', 'the command "true" was cut off')
    }
    const commands: Commands = {
      run: async () => (left-- > 0 ? cutOff() : { exitCode: 0, signal: null, output: '', duration: 1 }),
    }
    const asked = perform({ kind: 'command', command: { argv: ['true'], cwd: '' } }, { commands })
    if (typeof expected === 'string') await expect(asked).rejects.toMatchObject({ code: expected })
    else expect(await asked).toEqual(expected)
    expect(log).toBe('the command "true" was cut off; it is asked anew\n')
  })

  it('passes with exit code 0, and its output is in the log', async () => {
    expect(await perform({ kind: 'command', command: { argv: ['echo', 'two words'], cwd: '' } })).toEqual({
      passed: true,
      summary: '"echo "two words"" passed',
    })
    expect(log).toBe('two words\n')
  })

  it('fails with another, and says the last lines', async () => {
    expect(await perform({ kind: 'command', command: shell('seq 1 30; exit 2') })).toEqual({
      passed: false,
      summary: '"/bin/sh -c "seq 1 30; exit 2"" ended with exit code 2',
      failure: {
        code: 'exit-code',
        message: '"/bin/sh -c "seq 1 30; exit 2"" ended with exit code 2',
        tail: Array.from({ length: 20 }, (_, i) => i + 11).join('\n'),
      },
    })
  })

  it('fails when a signal ended it', async () => {
    expect(await perform({ kind: 'command', command: shell('kill -SEGV $$') })).toMatchObject({
      passed: false,
      failure: { code: 'signal', message: expect.stringContaining('was ended by SIGSEGV') },
    })
  })

  it('has no verdict when it cannot start, or was stopped', async () => {
    await expect(perform({ kind: 'command', command: { argv: ['no-such'], cwd: '' } })).rejects.toMatchObject(
      {
        code: 'command-not-found',
      },
    )
    const abort = new AbortController()
    const running = perform(
      { kind: 'command', command: shell('echo on; sleep 1000') },
      { signal: abort.signal, write: () => abort.abort() },
    )
    await expect(running).rejects.toMatchObject({ code: 'cancelled' })
    await expect(
      perform({ kind: 'command', command: shell('true') }, { signal: abort.signal }),
    ).rejects.toMatchObject({ code: 'cancelled' })
  })
})

describe('a coverage gate', { timeout: 60_000 }, () => {
  const summary = (covered: number, total = 1000) =>
    JSON.stringify({ total: { lines: { covered, total }, branches: { covered: 1, total: 2 } } })
  const check = (code: string, more: object = {}): PlanCheck => ({
    kind: 'coverage',
    command: shell(code),
    metric: 'lines',
    atLeast: 90,
    report: null,
    ...more,
  })
  const leaving = (path: string, text: string) =>
    `mkdir -p "$(dirname '${path}')"; cat > '${path}' <<'END'\n${text}\nEND`

  it('reads the summary that the command leaves', async () => {
    expect(await perform(check(leaving('coverage/coverage-summary.json', summary(914))))).toEqual({
      passed: true,
      summary: '91.4 % of lines, at least 90 asked',
    })
  })

  it('fails when it is too low, even by very little', async () => {
    expect(await perform(check(leaving('coverage/coverage-summary.json', summary(89_999, 100_000))))).toEqual(
      {
        passed: false,
        summary: '89.9 % of lines, at least 90 asked',
        failure: {
          code: 'coverage-low',
          message: '89.9 % of lines, at least 90 asked',
          hint: 'Cover more lines with tests.',
        },
      },
    )
  })

  it('reads lcov and cobertura, in another folder, and where `report` says', async () => {
    const lcov = 'TN:\nSF:a\nLF:10\nLH:9\nend_of_record'
    const xml = '<?xml version="1.0"?><coverage line-rate="0.95"></coverage>'
    await mkdir(join(root, 'web'))
    const inWeb = { command: shell(leaving('coverage/lcov.info', lcov), 'web') }
    expect(await perform(check('', inWeb))).toMatchObject({
      passed: true,
      summary: '90 % of lines, at least 90 asked',
    })
    expect(await perform(check(leaving('coverage/cobertura-coverage.xml', xml)))).toMatchObject({
      passed: true,
    })
    expect(await perform(check(leaving('out/c.json', summary(950)), { report: 'out/c.json' }))).toMatchObject(
      { passed: true },
    )
  })

  it('goes on to the next report where one does not tell the metric', async () => {
    const code = [
      leaving('coverage/lcov.info', 'TN:\nSF:a\nLF:10\nLH:9\nend_of_record'),
      leaving('coverage/cobertura-coverage.xml', '<coverage line-rate="0.1" branch-rate="0.99"></coverage>'),
    ].join('\n')
    expect(await perform(check(code, { metric: 'branches' }))).toMatchObject({
      passed: true,
      summary: '99 % of branches, at least 90 asked',
    })
  })

  it('refuses a report that lay there before, also one that was written just now', async () => {
    await mkdir(join(root, 'coverage'))
    const file = join(root, 'coverage/coverage-summary.json')
    await writeFile(file, summary(1000))
    for (const date of [new Date(), new Date('2020-01-01'), new Date(Date.now() + 3_600_000)]) {
      await utimes(file, date, date)
      expect(await perform(check('true'))).toMatchObject({
        passed: false,
        summary:
          '"/bin/sh -c true" left no coverage report: coverage/coverage-summary.json is older than the command',
        failure: { code: 'coverage-missing' },
      })
    }
  })

  it('refuses an old report that the command put back', async () => {
    const old = join(root, 'old.json')
    await writeFile(old, summary(1000))
    await utimes(old, new Date('2020-01-01'), new Date('2020-01-01'))
    expect(
      await perform(check('mkdir coverage && cp -p old.json coverage/coverage-summary.json')),
    ).toMatchObject({
      passed: false,
      failure: { code: 'coverage-missing' },
    })
  })

  it('takes a report that was written again with the same content', async () => {
    const code = leaving('coverage/coverage-summary.json', summary(950))
    expect(await perform(check(code))).toMatchObject({ passed: true })
    expect(await perform(check(code))).toMatchObject({ passed: true })
  })

  it('prefers a new report to an old one of a better place', async () => {
    await mkdir(join(root, 'coverage'))
    await writeFile(join(root, 'coverage/coverage-summary.json'), summary(1000))
    expect(
      await perform(check(leaving('coverage/lcov.info', 'TN:\nSF:a\nLF:10\nLH:1\nend_of_record'))),
    ).toMatchObject({
      passed: false,
      summary: '10 % of lines, at least 90 asked',
    })
  })

  it('fails for no report, a damaged one, a folder in its place', async () => {
    expect(await perform(check('true'))).toMatchObject({
      passed: false,
      failure: { code: 'coverage-missing' },
    })
    expect(await perform(check('true', { report: 'out.xml' }))).toMatchObject({
      failure: { code: 'coverage-missing', message: '"/bin/sh -c true" left no coverage report at out.xml' },
    })
    expect(await perform(check(leaving('coverage/coverage-summary.json', '{"total"')))).toMatchObject({
      failure: {
        code: 'coverage-unreadable',
        message:
          'no coverage of lines can be read: coverage/coverage-summary.json is no valid JSON: it may have been cut off',
      },
    })
    expect(await perform(check('mkdir lcov.info', { report: 'lcov.info' }))).toMatchObject({
      failure: { code: 'coverage-missing' },
    })
  })

  it('fails with the command, whatever the report says', async () => {
    const code = `${leaving('coverage/coverage-summary.json', summary(1000))}\nexit 1`
    expect(await perform(check(code))).toMatchObject({ passed: false, failure: { code: 'exit-code' } })
  })
})

describe('an HTTP gate', { timeout: 60_000 }, () => {
  const check = (url: string, more: object = {}): PlanCheck => ({
    kind: 'http',
    target: { url },
    method: 'GET',
    status: 200,
    ...more,
  })

  it('passes with the status that is asked for', async () => {
    expect(await perform(check(`${base}/200`))).toEqual({
      passed: true,
      summary: `GET ${base}/200 answered 200`,
    })
    expect(await perform(check(`${base}/302`, { status: 302 }))).toMatchObject({ passed: true })
    expect(await perform(check(`${base}/404`, { status: 404, method: 'HEAD' }))).toMatchObject({
      passed: true,
    })
    expect(asked.at(-1)).toBe('HEAD /404')
  })

  it('fails with another, and does not follow a redirect', async () => {
    expect(await perform(check(`${base}/503`))).toEqual({
      passed: false,
      summary: `GET ${base}/503 answered 503, not 200`,
      failure: { code: 'http-status', message: `GET ${base}/503 answered 503, not 200` },
    })
    expect(await perform(check(`${base}/302`))).toMatchObject({
      passed: false,
      failure: { code: 'http-status' },
    })
    expect(asked.at(-1)).toBe('GET /302')
  })

  it('asks a component through its gateway', async () => {
    const target = { environment: 'staging', component: 'auth service', path: '/health' }
    expect(await perform(check('', { target }))).toMatchObject({ passed: true })
    expect(asked.at(-1)).toBe('GET /gateway-of-staging/auth%20service/health')
  })

  it('fails for silence, a broken connection, nobody there', async () => {
    expect(await perform(check(`${base}/silent`), { httpTimeout: 50 })).toMatchObject({
      failure: { code: 'http-timeout', message: `GET ${base}/silent did not answer within 50 ms` },
    })
    expect(await perform(check(`${base}/broken`))).toMatchObject({ failure: { code: 'http-unreachable' } })
    expect(await perform(check('http://127.0.0.1:1/'))).toMatchObject({
      passed: false,
      failure: { code: 'http-unreachable' },
    })
    expect(await perform(check('no address'))).toMatchObject({ failure: { code: 'http-unreachable' } })
  })

  it('shows neither password nor query of the address', async () => {
    const url = new URL(`${base}/503?token=top-secret`)
    const result = await perform(check(url.href))
    expect(JSON.stringify(result) + log).not.toMatch(/top-secret/)
    url.password = 'top-secret'
    expect(JSON.stringify(await perform(check(url.href))) + log).not.toMatch(/top-secret/)
  })

  it('has no verdict when it was stopped', async () => {
    const abort = new AbortController()
    const running = perform(check(`${base}/silent`), { signal: abort.signal })
    abort.abort()
    await expect(running).rejects.toMatchObject({ code: 'cancelled' })
  })
})

describe("a team's own gate", () => {
  const own = (verdict: unknown): Promise<GateResult> =>
    perform({ kind: 'function' }, { run: async () => verdict as boolean })

  it.each<[unknown, object]>([
    [true, { passed: true, summary: 'passed' }],
    [
      false,
      {
        passed: false,
        summary: 'the check returned false',
        failure: { code: 'gate-failed', message: 'the check returned false' },
      },
    ],
    [
      { passed: true, summary: 'three of three' },
      { passed: true, summary: 'three of three' },
    ],
    [{ passed: true }, { passed: true, summary: 'passed' }],
    [
      { passed: false, summary: 'one of three' },
      { passed: false, summary: 'one of three', failure: { code: 'gate-failed', message: 'one of three' } },
    ],
    [
      { passed: false },
      {
        passed: false,
        summary: 'the check did not pass',
        failure: { code: 'gate-failed', message: 'the check did not pass' },
      },
    ],
  ])('that returns %j', async (verdict, expected) => expect(await own(verdict)).toEqual(expected))

  it.each([undefined, null, 1, 'true', {}, { passed: 'yes' }, { passed: 1 }, { passed: true, summary: 1 }])(
    'has no verdict in %j',
    verdict => expect(own(verdict)).rejects.toMatchObject({ code: 'gate-no-verdict' }),
  )

  it('that throws, or is not there, is no verdict either', async () => {
    const error = new Error('mine')
    await expect(perform({ kind: 'function' }, { run: () => Promise.reject(error) })).rejects.toBe(error)
    await expect(perform({ kind: 'function' })).rejects.toMatchObject({ code: 'check-missing' })
  })
})
