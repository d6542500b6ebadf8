import { describe, expect, test, vi } from 'vitest'
import { bundleDefinition } from '../../../runner/load/bundle.ts'
import { evaluateBundle } from '../../../runner/load/evaluate.ts'
import { definition, diagnosticsOf, shown, temporaryProject } from './temporary-project.ts'

// A busy machine is no failure: only a hang runs into this.
vi.setConfig({ testTimeout: 120_000 })

async function evaluate(files: Readonly<Record<string, string>>) {
  const project = await temporaryProject(files)
  return { project, ...(await evaluateBundle(await bundleDefinition(project), project)) }
}

async function refusal(files: Readonly<Record<string, string>>): Promise<string> {
  const project = await temporaryProject(files)
  const bundle = await bundleDefinition(project)
  return shown(project, await diagnosticsOf(() => evaluateBundle(bundle, project)))
}

/** By kind, code that is impure on its last line, and the name under which that is refused. */
const IMPURE: readonly (readonly [kind: string, what: string, ...lines: readonly string[]])[] = [
  ['read the clock', 'Date.now', `Date.now()`],
  ['read the clock', 'new Date()', `export const at = new Date()`],
  ['read the clock', 'new Date()', `new (class Later extends Date {})()`],
  ['read the clock', 'new Date()', `new (new Date(0).constructor as DateConstructor)()`],
  ['read the clock', 'new Date()', `new globalThis.Date()`],
  ['read the clock', 'new Date()', `new Function('return new Date()')()`],
  ['read the clock', 'Date()', `Date()`],
  ['read the clock', 'Intl.DateTimeFormat.format', `new Intl.DateTimeFormat('en').format()`],
  ['read the clock', 'Intl.DateTimeFormat.format', `new Intl.DateTimeFormat('en').formatToParts()`],
  ['read the clock', 'performance.now', `performance.now()`],
  ['read the clock', 'performance.timeOrigin', `performance.timeOrigin`],
  ['read the clock', 'process.hrtime', `process.hrtime()`],
  ['read the clock', 'process.hrtime.bigint', `process.hrtime.bigint()`],
  [
    'read the clock',
    'perf_hooks.performance.now',
    `import { performance as p } from 'node:perf_hooks'`,
    `p.now()`,
  ],
  ['drew a random value', 'Math.random', `Math.random()`],
  ['drew a random value', 'Math.random', `const { random } = Math`, `random()`],
  ['drew a random value', 'crypto.randomUUID', `crypto.randomUUID()`],
  ['drew a random value', 'crypto.getRandomValues', `crypto.getRandomValues(new Uint8Array(4))`],
  [
    'drew a random value',
    'crypto.randomBytes',
    `import { randomBytes } from 'node:crypto'`,
    `randomBytes(4)`,
  ],
  ['drew a random value', 'crypto.randomUUID', `import * as c from 'crypto'`, `c.randomUUID()`],
  ['used the network', 'fetch', `void fetch('http://127.0.0.1:1')`],
  ['used the network', 'new WebSocket', `new WebSocket('ws://127.0.0.1:1')`],
  ['used the network', 'net.connect', `import net from 'node:net'`, `net.connect(1)`],
  ['used the network', 'http.get', `import { get } from 'node:http'`, `get('http://127.0.0.1:1')`],
  [
    'used the network',
    'dns.promises.lookup',
    `import dns from 'node:dns'`,
    `void dns.promises.lookup('localhost')`,
  ],
  [
    'used the disk',
    'fs.readFileSync',
    `import { readFileSync } from 'node:fs'`,
    `readFileSync('/etc/hostname')`,
  ],
  ['used the disk', 'fs.existsSync', `import * as fs from 'fs'`, `fs.existsSync('/')`],
  ['used the disk', 'fs/promises.readdir', `import { readdir } from 'node:fs/promises'`, `void readdir('/')`],
  ['used the disk', 'fs.promises.stat', `import { promises } from 'node:fs'`, `void promises.stat('/')`],
  [
    'used the disk',
    'fs.realpathSync.native',
    `import { realpathSync } from 'node:fs'`,
    `realpathSync.native('/')`,
  ],
  [
    'used the disk',
    'module.createRequire',
    `import { createRequire } from 'node:module'`,
    `createRequire('/x')`,
  ],
  [
    'used the disk',
    'new sqlite.DatabaseSync',
    `import { DatabaseSync } from 'node:sqlite'`,
    `new DatabaseSync(':memory:')`,
  ],
  ['asked the process or the machine', 'process.env', `process.env.HOME`],
  ['asked the process or the machine', 'process.env', `import { env } from 'node:process'`, `env.HOME`],
  ['asked the process or the machine', 'process.argv', `process.argv.length`],
  ['asked the process or the machine', 'process.cwd', `process.cwd()`],
  ['asked the process or the machine', 'process.pid', `process.pid`],
  ['asked the process or the machine', 'process.exit', `process.exit(0)`],
  ['asked the process or the machine', 'process.exitCode', `process.exitCode = 3`],
  ['asked the process or the machine', 'process.getBuiltinModule', `process.getBuiltinModule('fs')`],
  ['asked the process or the machine', 'os.hostname', `import { hostname } from 'node:os'`, `hostname()`],
  [
    'asked the process or the machine',
    'child_process.execFileSync',
    `import { execFileSync } from 'node:child_process'`,
    `execFileSync('true')`,
  ],
  [
    'asked the process or the machine',
    'child_process.execFile',
    `import { execFile } from 'node:child_process'\nimport { promisify } from 'node:util'`,
    `void promisify(execFile)('true')`,
  ],
  [
    'asked the process or the machine',
    'vm.runInNewContext',
    `import vm from 'node:vm'`,
    `vm.runInNewContext('Date.now()')`,
  ],
  [
    'asked the process or the machine',
    'new worker_threads.Worker',
    `import { Worker } from 'node:worker_threads'`,
    `new Worker('x')`,
  ],
  ['asked the process or the machine', 'navigator.hardwareConcurrency', `navigator.hardwareConcurrency`],
  ['set a timer', 'setTimeout', `setTimeout(() => {}, 0)`],
  ['set a timer', 'setInterval', `setInterval(() => {}, 1)`],
  ['set a timer', 'setImmediate', `setImmediate(() => {})`],
  [
    'set a timer',
    'timers/promises.setTimeout',
    `import { setTimeout as wait } from 'node:timers/promises'`,
    `void wait(1)`,
  ],
  // What is swallowed, and what is put off until after the evaluation.
  ['read the clock', 'Date.now', `try { Date.now() } catch {}`],
  ['read the clock', 'Date.now', `void Promise.resolve().then(() => Date.now())`],
  ['used the disk', 'fs.readFileSync', `void import('node:fs').then(fs => fs.readFileSync('/etc/hostname'))`],
  ['read the clock', 'Date.now', `queueMicrotask(() => { try { Date.now() } catch {} })`],
  ['read the clock', 'Date.now', `process.nextTick(() => { try { Date.now() } catch {} })`],
]

describe('a definition that is impure is refused', () => {
  test.each(IMPURE)('it %s: %s', async (kind, what, ...lines) => {
    const project = await temporaryProject({ 'releases/it.ts': definition(...lines) })
    const bundle = await bundleDefinition(project)
    const [found, ...others] = await diagnosticsOf(() => evaluateBundle(bundle, project))
    const text = lines.join('\n')
    expect(others).toEqual([])
    expect(found).toMatchObject({
      code: 'impure-definition',
      message: `the definition ${kind} (${what}) while it was evaluated`,
      span: { file: 'releases/it.ts', line: 1 + text.split('\n').length },
      hint: expect.any(String),
    })
  })

  test('with the place in what it imports', async () => {
    const text = await refusal({
      'releases/it.ts': definition(`import { stamp } from './stamp.ts'`, `export const name = stamp()`),
      'releases/stamp.ts': `/** When? */\nexport const stamp = (): string =>\n  new Date().toISOString()\n`,
    })
    expect(text).toMatchInlineSnapshot(`
      "error[impure-definition]: the definition read the clock (new Date()) while it was evaluated
       --> releases/stamp.ts:3:3
        |
      3 |   new Date().toISOString()
        |   ^^^
        = hint: take the time as a param, write the date down as in new Date('2024-03-15'), or read the clock in a step's function"
    `)
  })

  test('with the place that called a package', async () => {
    const text = await refusal({
      'releases/it.ts': definition(`import { id } from 'ids'`, `export const name = id()`),
      'node_modules/ids/package.json':
        '{ "name": "ids", "version": "1.0.0", "main": "ids.js", "type": "module" }',
      'node_modules/ids/ids.js': `export const id = () => Math.random().toString(36)\n`,
    })
    expect(text).toMatchInlineSnapshot(`
      "error[impure-definition]: the definition drew a random value (Math.random) while it was evaluated
       --> releases/it.ts:3:21
        |
      3 | export const name = id()
        |                     ^^
        = hint: this is a package's doing: use it in a step's function, with await import('…')
        = note: it happens in a package (node_modules/ids/ids.js:1:30)"
    `)
  })

  test('also where a package is impure as soon as it is imported', async () => {
    const text = await refusal({
      'releases/it.ts': definition(`import * as all from 'eager'`, `export { all }`),
      'node_modules/eager/package.json': '{ "name": "eager", "version": "1.0.0", "main": "eager.js" }',
      'node_modules/eager/eager.js': `exports.level = process.env.LEVEL\n`,
    })
    expect(text).toMatchInlineSnapshot(`
      "error[impure-definition]: the definition asked the process or the machine (process.env) while it was evaluated
       --> releases/it.ts:2:22
        |
      2 | import * as all from 'eager'
        |                      ^
        = hint: this is a package's doing: use it in a step's function, with await import('…')
        = note: it happens in a package (node_modules/eager/eager.js:1:25)"
    `)
  })
})

const PURE: readonly (readonly [...lines: readonly string[]])[] = [
  [`new Date('2024-03-15').toISOString()`],
  [`new Date(2024, 2, 15) instanceof Date || process.exit()`],
  [`Date.parse('2024-03-15') + Date.UTC(2024, 2, 15)`],
  [`new Intl.DateTimeFormat('en').format(new Date(0))`],
  [`import { createHash } from 'node:crypto'`, `createHash('sha256').update('x').digest('hex')`],
  [`import { join } from 'node:path'`, `join('a', 'b')`],
  [`import { inspect, parseArgs } from 'node:util'`, `inspect({ parseArgs })`],
  [`import assert from 'node:assert/strict'`, `assert.equal(1, 1)`],
  [`import { constants, readFileSync } from 'node:fs'`, `constants.R_OK + typeof readFileSync`],
  [`import { EOL } from 'node:os'`, `EOL.length`],
  [`typeof fetch === 'function' && typeof process !== 'undefined' && process.platform.length`],
  [`structuredClone({ a: new URL('http://x/y').pathname, b: Buffer.from('x').toString('base64') })`],
  [`queueMicrotask(() => {})`],
]

test.each(PURE)('a definition may: %s %s', async (...lines) => {
  const { definition: model } = await evaluate({
    'releases/it.ts': definition(...lines.filter(line => typeof line === 'string')),
  })
  expect(model.name).toBe('it')
})

describe('once evaluation has ended', () => {
  test('what it took hold of works in its steps', async () => {
    const { definition: model } = await evaluate({
      'releases/it.ts': `
import { release } from 'release-as-code'
import fs, { promises, readFileSync } from 'node:fs'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
const { now } = Date
const Clock = Date
const machine = process
const run = promisify(execFile)
class Stamp extends Clock {}
export default release('it', { version: '1.0.0', components: [] }).stage('only', s => s
  .step('all', async () => {
    const lazily = await import('node:fs')
    return {
      now: now() > 0 && new Clock() instanceof Date && new Stamp().getTime() > 0,
      disk: readFileSync('/proc/self/comm', 'utf8') === lazily.readFileSync('/proc/self/comm', 'utf8'),
      same: fs.readFileSync === readFileSync,
      promised: (await promises.stat('/')).isDirectory(),
      process: machine.cwd() === process.cwd() && machine.env.PATH === process.env.PATH,
      random: Math.random() < 1 && crypto.randomUUID().length === 36,
      command: (await run('echo', ['hello'])).stdout,
      timer: await new Promise(resolve => setTimeout(resolve, 0, 'rang')),
    }
  }, { idempotent: true }))
`,
    })
    const [step] = model.stages[0]!.items
    if (step?.kind !== 'step') throw new Error('the step is missing')
    expect(await step.run({} as never)).toEqual({
      now: true,
      disk: true,
      same: true,
      promised: true,
      process: true,
      random: true,
      command: 'hello\n',
      timer: 'rang',
    })
  })

  test('every global is what it was, also after a refusal', async () => {
    const globals = () => [
      ...['Date', 'process', 'performance', 'crypto', 'fetch', 'setTimeout', 'navigator'].map(name =>
        Object.getOwnPropertyDescriptor(globalThis, name),
      ),
      Object.getOwnPropertyDescriptor(Math, 'random'),
      Object.getOwnPropertyDescriptor(Date, 'now'),
      Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, 'format'),
      Object.getOwnPropertyDescriptor(console, 'log'),
    ]
    const before = globals()
    await evaluate({ 'releases/it.ts': definition() })
    await refusal({ 'releases/it.ts': definition(`Date.now()`) })
    const after = globals()
    after.forEach((descriptor, index) => {
      expect(descriptor?.value).toBe(before[index]?.value)
      expect(descriptor?.get).toBe(before[index]?.get)
    })
  })

  test('the rest of the process was not held up meanwhile', async () => {
    const project = await temporaryProject({ 'releases/it.ts': definition() })
    const bundle = await bundleDefinition(project)
    const evaluations = [evaluateBundle(bundle, project), evaluateBundle(bundle, project)]
    expect(Date.now()).toBeGreaterThan(0)
    expect(new Date()).toBeInstanceOf(Date)
    expect(process.env.PATH).toBeTypeOf('string')
    await new Promise(resolve => setTimeout(resolve, 0))
    expect((await Promise.all(evaluations)).map(loaded => loaded.definition.name)).toEqual(['it', 'it'])
  })
})

test('places are taken unless nobody will ask for them, and the next evaluation takes them again', async () => {
  const project = await temporaryProject({ 'releases/it.ts': definition('') })
  const bundle = await bundleDefinition(project)
  const placed = async (places: 'take' | 'skip'): Promise<boolean> => {
    const { definition: model, locate } = await evaluateBundle(bundle, project, { places })
    return locate(model.at) !== undefined
  }
  expect([await placed('take'), await placed('skip'), await placed('take')]).toEqual([true, false, true])
})

test('what a definition prints goes to stderr', async () => {
  const error = vi.spyOn(console, 'error').mockImplementation(() => {})
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  await evaluate({ 'releases/it.ts': definition(`console.log('seen')`) })
  expect(error.mock.calls).toEqual([['seen']])
  expect(log.mock.calls).toEqual([])
  vi.restoreAllMocks()
})

describe('what evaluation comes to', () => {
  test('an error is told with its place', async () => {
    const text = await refusal({
      'releases/it.ts': definition(
        `const table: Record<string, string[]> = {}`,
        `export const first = (key: string) => table[key]!.at(0)`,
        `first('none')`,
      ),
    })
    expect(text).toMatchInlineSnapshot(`
      "error[evaluation-failed]: the definition threw while it was evaluated: TypeError: Cannot read properties of undefined (reading 'at')
       --> releases/it.ts:3:51
        |
      3 | export const first = (key: string) => table[key]!.at(0)
        |                                                   ^^"
    `)
  })

  test('so is one that comes in a promise, which does not end the process', async () => {
    const text = await refusal({
      'releases/it.ts': definition(
        `void (async () => {`,
        `  await null`,
        `  throw new Error('late')`,
        `})()`,
      ),
    })
    expect(text).toMatchInlineSnapshot(`
      "error[evaluation-failed]: the definition threw while it was evaluated: Error: late
       --> releases/it.ts:4:9
        |
      4 |   throw new Error('late')
        |         ^^^"
    `)
  })

  test('a value thrown that is no error is told too', async () => {
    const text = await refusal({ 'releases/it.ts': definition(`throw 'a string'`) })
    expect(text).toContain('a value that is no error: a string')
  })

  const NO_RELEASE: readonly (readonly [string, string])[] = [
    ['no default export', `export const x = 1`],
    [
      'a named release',
      `import { release } from 'release-as-code'\nexport const mine = release('it', { version: '1.0.0', components: [] })`,
    ],
    ['a function', `export const x = 1\n\nexport default () => 1`],
    ['a promise', `export default (async () => 1)()`],
    ['a component', `import { service } from 'release-as-code'\nexport default service('auth')`],
    ['a number', `export default 1`],
    ['CommonJS', `module.exports = 1`],
  ]
  test.each(NO_RELEASE)('%s is no release', async (name, text) => {
    expect(await refusal({ 'releases/it.ts': text })).toMatchSnapshot(name)
  })
})

describe('call sites', () => {
  test('name the innermost of the team’s own lines', async () => {
    const { definition: model, locate } = await evaluate({
      'releases/it.ts': `
import { release } from 'release-as-code'
import { announced } from './templates/announce.ts'

export default release('it', { version: '1.0.0', components: [] })
  .stage('direct', s => s.wait('1s'))
  .stage('through a template', s => s.use(announced))
  .stage('in a loop', s => s.each(['a', 'b'], (inner, name) => inner.wait(\`\${name.length}s\`)))
`,
      'releases/templates/announce.ts': `
export const announced = (s: any) => s
  .wait('2s')
`,
    })
    const places = model.stages.flatMap(stage => [stage.at, ...stage.items.map(item => item.at)]).map(locate)
    expect([model.at, ...model.components.map(c => c.at)].map(locate)).toMatchInlineSnapshot(`
      [
        {
          "column": 16,
          "file": "releases/it.ts",
          "line": 5,
        },
      ]
    `)
    expect(places.map(span => `${span?.file}:${span?.line}:${span?.column}`)).toMatchInlineSnapshot(`
      [
        "releases/it.ts:6:4",
        "releases/it.ts:6:27",
        "releases/it.ts:7:4",
        "releases/templates/announce.ts:3:4",
        "releases/it.ts:8:4",
        "releases/it.ts:8:70",
        "releases/it.ts:8:70",
      ]
    `)
  })

  test('that name no line of the bundle have no place', async () => {
    const { locate } = await evaluate({ 'releases/it.ts': definition() })
    expect(locate({ stack: 'Error\n    at node:internal/main:1:1' })).toBeUndefined()
    expect(locate({ stack: '' })).toBeUndefined()
  })

  test('that of an error thrown by a step maps too', async () => {
    const { definition: model, locate } = await evaluate({
      'releases/it.ts': `import { release } from 'release-as-code'
export default release('it', { version: '1.0.0', components: [] }).stage('only', s => s
  .step('fails', async () => {
    throw new Error('as asked')
  }, { idempotent: true }))
`,
    })
    const [step] = model.stages[0]!.items
    if (step?.kind !== 'step') throw new Error('the step is missing')
    const error: unknown = await Promise.resolve(step.run({} as never)).catch((thrown: unknown) => thrown)
    expect(locate({ stack: (error as Error).stack ?? '' })).toEqual({
      file: 'releases/it.ts',
      line: 4,
      column: 11,
    })
  })
})
