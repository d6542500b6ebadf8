/** What the language builds: models, frozen, complete, and known across copies of the package. */

import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { isReleaseError } from '../../../src/errors.ts'
import * as language from '../../../src/index.ts'

const {
  allAtOnce,
  app,
  command,
  coverage,
  environment,
  http,
  local,
  modelOf,
  param,
  release,
  rolling,
  secret,
  service,
  slack,
  webhook,
} = language

/** A copy without call sites, in which functions and needed components are only named; for snapshots. */
const plain = (value: unknown): unknown => {
  if (typeof value === 'function') return '[function]'
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'at')
      .map(([key, part]) => [key, key === 'component' ? part.name : plain(part)]),
  )
}

const version = param('version', { default: '3.0.0', help: 'what is released' })
const pace = param('pace', { choices: ['quick', 'real'], default: 'real' })
const auth = service('auth-service', { instances: { production: 4 } })
const order = service('order-service', { needs: [auth, auth.range('^3.0.0')] })
const staging = environment('staging', { on: local() })

/** The items of a release's only stage. */
const itemsOf = (value: unknown): unknown => plain(modelOf(value)?.stages[0]?.items)

/** The release that a stage's items are looked at in. */
const begun = release('phoenix', { version, components: [auth, order], params: [version, pace] })

describe('models', () => {
  test('a release keeps everything as it was written', () => {
    const made = release('phoenix', {
      version,
      codename: 'Phoenix',
      targetDate: '2024-03-15',
      components: [auth],
      params: [version, pace],
      secrets: [secret('TOKEN')],
      approvers: { 'release-manager': [{ person: 'alice@techcorp.example', key: 'ssh-ed25519 AAAA' }] },
      concurrency: 4,
    })
      .stage('one', s => s)
      .stage('two', { after: [], onFailure: 'stop' }, s => s)
      .onFailure('rollback-all')
    const {
      components: _,
      params: __,
      version: ___,
      ...rest
    } = plain(modelOf(made)) as Record<string, unknown>
    expect(rest).toMatchInlineSnapshot(`
      {
        "approvers": {
          "release-manager": [
            {
              "key": "ssh-ed25519 AAAA",
              "person": "alice@techcorp.example",
            },
          ],
        },
        "codename": "Phoenix",
        "concurrency": 4,
        "guard": null,
        "name": "phoenix",
        "onFailure": "rollback-all",
        "rollback": null,
        "secrets": [
          {
            "from": {
              "kind": "env",
              "variable": "TOKEN",
            },
            "name": "TOKEN",
          },
        ],
        "stages": [
          {
            "after": null,
            "items": [],
            "name": "one",
            "onFailure": null,
          },
          {
            "after": [],
            "items": [],
            "name": "two",
            "onFailure": "stop",
          },
        ],
        "targetDate": "2024-03-15",
      }
    `)
  })

  test('what is left out is null, so that the compiler sees what was not said', () => {
    expect(plain(modelOf(release('phoenix', { version: '3.0.0' })))).toMatchInlineSnapshot(`
      {
        "approvers": null,
        "codename": null,
        "components": [],
        "concurrency": null,
        "guard": null,
        "name": "phoenix",
        "onFailure": null,
        "params": [],
        "rollback": null,
        "secrets": [],
        "stages": [],
        "targetDate": null,
        "version": "3.0.0",
      }
    `)
  })

  test('components', () => {
    const web = app('web-app', {
      platform: 'web',
      critical: true,
      needs: [order],
      group: 3,
      version,
      env: { PACE: pace, LEVEL: pace.pick({ quick: 'debug', real: 'info' }), KEY: secret('KEY'), PORT: 1 },
      source: 'apps/{name}',
      start: ['node', 'main.js'],
      health: '/up',
    })
    const components =
      modelOf(release('phoenix', { version, components: [auth, order, web] }))?.components ?? []
    expect(components[2]?.needs[0]?.component).toBe(components[1])
    expect(plain(components.slice(1))).toMatchInlineSnapshot(`
      [
        {
          "critical": false,
          "env": {},
          "group": null,
          "health": null,
          "instances": 1,
          "name": "order-service",
          "needs": [
            {
              "component": "auth-service",
              "range": null,
            },
            {
              "component": "auth-service",
              "range": "^3.0.0",
            },
          ],
          "platform": null,
          "source": null,
          "start": null,
          "type": "service",
          "version": null,
        },
        {
          "critical": true,
          "env": {
            "KEY": {
              "from": {
                "kind": "env",
                "variable": "KEY",
              },
              "name": "KEY",
            },
            "LEVEL": {
              "options": {
                "quick": "debug",
                "real": "info",
              },
              "param": {
                "choices": [
                  "quick",
                  "real",
                ],
                "default": "real",
                "help": null,
                "name": "pace",
                "type": "string",
              },
            },
            "PACE": {
              "choices": [
                "quick",
                "real",
              ],
              "default": "real",
              "help": null,
              "name": "pace",
              "type": "string",
            },
            "PORT": 1,
          },
          "group": 3,
          "health": {
            "interval": null,
            "path": "/up",
            "timeout": null,
          },
          "instances": 1,
          "name": "web-app",
          "needs": [
            {
              "component": "order-service",
              "range": null,
            },
          ],
          "platform": "web",
          "source": "apps/{name}",
          "start": [
            "node",
            "main.js",
          ],
          "type": "app",
          "version": {
            "choices": null,
            "default": "3.0.0",
            "help": "what is released",
            "name": "version",
            "type": "string",
          },
        },
      ]
    `)
  })

  const params: [string, unknown, object][] = [
    ['a string, where nothing is said', param('x'), { type: 'string', default: null, choices: null }],
    ['by its default', param('x', { default: 5 }), { type: 'number', default: 5 }],
    ['false is a default', param('x', { default: false }), { type: 'boolean', default: false }],
    ['by its choices', param('x', { choices: [1, 2] }), { type: 'number', choices: [1, 2], default: null }],
    ['by its type', param('x', { type: 'boolean' }), { type: 'boolean', default: null }],
  ]
  for (const [what, made, expected] of params) {
    test(`a param: ${what}`, () => {
      const model = modelOf(release('phoenix', { version: '1.0.0', params: [made as typeof version] }))
        ?.params[0]
      expect(model).toMatchObject(expected)
    })
  }

  const secrets: [string, ReturnType<typeof secret>, object][] = [
    ['from the environment', secret('X'), { kind: 'env', variable: 'X' }],
    ['from a file', secret('X', { file: 'secrets/x' }), { kind: 'file', path: 'secrets/x' }],
    ['from a command', secret('X', { command: ['pass', 'x'] }), { kind: 'command', argv: ['pass', 'x'] }],
  ]
  for (const [what, made, expected] of secrets) {
    test(`a secret: ${what}`, () => {
      expect(modelOf(release('phoenix', { version: '1.0.0', secrets: [made] }))?.secrets[0]?.from).toEqual(
        expected,
      )
    })
  }

  test('gates', () => {
    const made = begun.stage('gates', s =>
      s
        .gate(
          'coverage',
          coverage('npm test', { metric: 'branches', report: 'r.info', cwd: 'web' }).atLeast(90),
        )
        .gate('command', command(['npm', 'audit']).passes(), { required: false, timeout: '1m', retry: 2 })
        .gate('address', http('https://techcorp.example', { method: 'HEAD' }).answers(204), {
          retry: { limit: 1, delay: '1s', maxDelay: '1m' },
        })
        .gate('function', () => true, { timeout: pace.pick({ quick: '1s', real: '1m' }) }),
    )
    expect(itemsOf(made)).toMatchInlineSnapshot(`
      [
        {
          "check": {
            "atLeast": 90,
            "command": {
              "cwd": "web",
              "line": "npm test",
            },
            "kind": "coverage",
            "metric": "branches",
            "report": "r.info",
          },
          "kind": "gate",
          "name": "coverage",
          "required": true,
          "retry": null,
          "timeout": null,
        },
        {
          "check": {
            "command": {
              "cwd": null,
              "line": [
                "npm",
                "audit",
              ],
            },
            "kind": "command",
          },
          "kind": "gate",
          "name": "command",
          "required": false,
          "retry": {
            "delay": null,
            "limit": 2,
            "maxDelay": null,
          },
          "timeout": "1m",
        },
        {
          "check": {
            "kind": "http",
            "method": "HEAD",
            "status": 204,
            "target": "https://techcorp.example",
          },
          "kind": "gate",
          "name": "address",
          "required": true,
          "retry": {
            "delay": "1s",
            "limit": 1,
            "maxDelay": "1m",
          },
          "timeout": null,
        },
        {
          "check": "[function]",
          "kind": "gate",
          "name": "function",
          "required": true,
          "retry": null,
          "timeout": {
            "options": {
              "quick": "1s",
              "real": "1m",
            },
            "param": {
              "choices": [
                "quick",
                "real",
              ],
              "default": "real",
              "help": null,
              "name": "pace",
              "type": "string",
            },
          },
        },
      ]
    `)
  })

  test('a gate on a component names the models', () => {
    const made = begun.stage('gates', s =>
      s.gate('up', http({ component: auth, in: staging, path: '/health' }).answers()),
    )
    const [gate] = modelOf(made)?.stages[0]?.items ?? []
    const components = modelOf(made)?.components
    expect(gate).toMatchObject({
      check: { kind: 'http', status: 200, method: 'GET', target: { path: '/health' } },
    })
    expect(gate).toHaveProperty('check.target.component', components?.[0])
    expect(gate).toHaveProperty('check.target.environment.name', 'staging')
  })

  test('steps, approvals, waits and messages', () => {
    const made = begun.stage('items', s =>
      s
        .step('bare', () => 1)
        .step('full', () => 1, {
          retry: 1,
          timeout: '5m',
          undo: () => undefined,
          observe: () => undefined,
          idempotent: true,
        })
        .step('final', () => 1, { undo: 'none' })
        .approval('go live', { from: { manager: 2 }, expires: '3d', self: true })
        .wait(pace.pick({ quick: '1s', real: '1m' }))
        .notify(slack(secret('HOOK'), '#releases'), { message: 'out', required: true })
        .notify(webhook('https://techcorp.example')),
    )
    expect(itemsOf(made)).toMatchInlineSnapshot(`
      [
        {
          "idempotent": false,
          "kind": "step",
          "name": "bare",
          "observe": null,
          "retry": null,
          "run": "[function]",
          "timeout": null,
          "undo": null,
        },
        {
          "idempotent": true,
          "kind": "step",
          "name": "full",
          "observe": "[function]",
          "retry": {
            "delay": null,
            "limit": 1,
            "maxDelay": null,
          },
          "run": "[function]",
          "timeout": "5m",
          "undo": "[function]",
        },
        {
          "idempotent": false,
          "kind": "step",
          "name": "final",
          "observe": null,
          "retry": null,
          "run": "[function]",
          "timeout": null,
          "undo": "none",
        },
        {
          "expires": "3d",
          "from": {
            "manager": 2,
          },
          "kind": "approval",
          "name": "go live",
          "self": true,
        },
        {
          "duration": {
            "options": {
              "quick": "1s",
              "real": "1m",
            },
            "param": {
              "choices": [
                "quick",
                "real",
              ],
              "default": "real",
              "help": null,
              "name": "pace",
              "type": "string",
            },
          },
          "kind": "wait",
        },
        {
          "channel": {
            "channel": "#releases",
            "kind": "slack",
            "url": {
              "from": {
                "kind": "env",
                "variable": "HOOK",
              },
              "name": "HOOK",
            },
          },
          "kind": "notify",
          "message": "out",
          "required": true,
        },
        {
          "channel": {
            "channel": null,
            "kind": "webhook",
            "url": "https://techcorp.example",
          },
          "kind": "notify",
          "message": null,
          "required": false,
        },
      ]
    `)
  })

  test('deployments', () => {
    const made = begun.stage('deploy', s =>
      s
        .deploy([auth, order], { to: staging })
        .deploy([order], {
          to: staging,
          with: rolling({ batch: '25%', maxUnavailable: 1, progressDeadline: '1m' }),
        })
        .deploy([auth], { to: staging, with: allAtOnce() }),
    )
    const items = modelOf(made)?.stages[0]?.items ?? []
    const deployed = items.flatMap(item => (item.kind === 'deploy' ? [item] : []))
    expect(deployed.map(item => [item.components.map(({ name }) => name), item.with])).toMatchInlineSnapshot(`
      [
        [
          [
            "auth-service",
            "order-service",
          ],
          {
            "batch": 1,
            "kind": "rolling",
            "maxUnavailable": 0,
            "progressDeadline": "10m",
            Symbol(release-as-code/kind): "strategy",
          },
        ],
        [
          [
            "order-service",
          ],
          {
            "batch": "25%",
            "kind": "rolling",
            "maxUnavailable": 1,
            "progressDeadline": "1m",
            Symbol(release-as-code/kind): "strategy",
          },
        ],
        [
          [
            "auth-service",
          ],
          {
            "kind": "all-at-once",
            "progressDeadline": "10m",
            Symbol(release-as-code/kind): "strategy",
          },
        ],
      ]
    `)
  })

  test('parallel, sequence, each and use', () => {
    const made = begun.stage('nested', s =>
      s
        .parallel(p =>
          p
            .wait('1s')
            .sequence(s => s.wait('2s').wait('3s'))
            .each(['4s', '5s'], (p, time) => p.wait(time))
            .use(s => s.wait('6s')),
        )
        .each(['7s', '8s'], (s, time) => s.wait(time).step(`after ${time}`, () => time))
        .use(s => s.wait('9s'))
        .sequence(s => s.parallel(p => p)),
    )
    expect(itemsOf(made)).toMatchInlineSnapshot(`
      [
        {
          "items": [
            {
              "duration": "1s",
              "kind": "wait",
            },
            {
              "items": [
                {
                  "duration": "2s",
                  "kind": "wait",
                },
                {
                  "duration": "3s",
                  "kind": "wait",
                },
              ],
              "kind": "sequence",
            },
            {
              "duration": "4s",
              "kind": "wait",
            },
            {
              "duration": "5s",
              "kind": "wait",
            },
            {
              "items": [
                {
                  "duration": "6s",
                  "kind": "wait",
                },
              ],
              "kind": "sequence",
            },
          ],
          "kind": "parallel",
        },
        {
          "duration": "7s",
          "kind": "wait",
        },
        {
          "idempotent": false,
          "kind": "step",
          "name": "after 7s",
          "observe": null,
          "retry": null,
          "run": "[function]",
          "timeout": null,
          "undo": null,
        },
        {
          "duration": "8s",
          "kind": "wait",
        },
        {
          "idempotent": false,
          "kind": "step",
          "name": "after 8s",
          "observe": null,
          "retry": null,
          "run": "[function]",
          "timeout": null,
          "undo": null,
        },
        {
          "duration": "9s",
          "kind": "wait",
        },
        {
          "items": [
            {
              "items": [],
              "kind": "parallel",
            },
          ],
          "kind": "sequence",
        },
      ]
    `)
  })

  test('what is written wrongly is kept: the compiler says so, all at once', () => {
    const wrong = (text: string): never => text as never
    const made = begun
      .stage('twice', s => s.wait(wrong('10 minutes')))
      .stage(wrong('twice'), { after: [wrong('nowhere')], onFailure: wrong('hope') }, s =>
        s
          .deploy([auth], { to: staging, with: rolling({ batch: wrong('25') }) })
          .approval('go', { from: wrong('') }),
      )
    const stages = modelOf(made)?.stages ?? []
    expect(stages.map(stage => [stage.name, stage.after, stage.onFailure])).toEqual([
      ['twice', null, null],
      ['twice', ['nowhere'], 'hope'],
    ])
    expect(stages[0]?.items[0]).toMatchObject({ duration: '10 minutes' })
    expect(stages[1]?.items[0]).toMatchObject({ with: { batch: '25' } })
  })
})

describe('what cannot be data at all is refused', () => {
  const not = (value: unknown): never => value as never
  const cases: [string, () => unknown, string, string][] = [
    [
      'a step without a function',
      () => begun.stage('s', s => s.step('image', not('npm test'))),
      'not-a-function',
      "The step 'image' must be a function, and is of type string.",
    ],
    [
      'a need by name',
      () => service('a', { needs: [not('auth-service')] }),
      'not-a-component',
      "The component 'a': needs takes a component, and was given 'auth-service'.",
    ],
    [
      'a component by name',
      () => begun.stage('s', s => s.deploy([not('a')], { to: staging })),
      'not-a-component',
      "deploy takes a component, and was given 'a'.",
    ],
    [
      'an environment by name',
      () => begun.stage('s', s => s.deploy([auth], { to: not('a') })),
      'not-an-environment',
      "deploy: to takes an environment, and was given 'a'.",
    ],
    [
      'a platform by name',
      () => environment('a', { on: not('local') }),
      'not-a-platform',
      "The environment 'a': on takes a platform, and was given 'local'.",
    ],
    [
      'a check without its end',
      () => begun.stage('s', s => s.gate('g', not(command('x')))),
      'not-a-check',
      "The gate 'g' takes a check, and was given a value of type object.",
    ],
    [
      'a stage that returns nothing',
      () =>
        begun.stage(
          's',
          not(() => undefined),
        ),
      'nothing-built',
      "The function given to the stage 's' returned nothing that it built.",
    ],
    [
      'an each that returns nothing',
      () =>
        begun.stage('s', s =>
          s.each(
            [1],
            not(() => undefined),
          ),
        ),
      'nothing-built',
      'The function given to each returned nothing that it built.',
    ],
  ]
  for (const [what, make, code, message] of cases) {
    test(what, () => {
      try {
        make()
      } catch (error) {
        if (!isReleaseError(error)) throw error
        expect({ code: error.code, message: error.message, exitCode: error.exitCode }).toEqual({
          code,
          message,
          exitCode: 2,
        })
        expect(error.hint).toMatch(/\w+/)
        return
      }
      expect.unreachable()
    })
  }
})

describe('immutability', () => {
  const looseParts = (value: unknown, path: string, seen = new Set<unknown>()): string[] => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return []
    seen.add(value)
    const inside = Reflect.ownKeys(value).flatMap(key =>
      looseParts((value as Record<PropertyKey, unknown>)[key], `${path}.${String(key)}`, seen),
    )
    return Object.isFrozen(value) ? inside : [path, ...inside]
  }

  const whole = begun
    .stage('one', s =>
      s
        .gate('g', command(['npm', 'test']).passes(), { retry: { limit: 1 } })
        .approval('a', { from: { manager: 1 } })
        .parallel(p =>
          p.wait(pace.pick({ quick: '1s', real: '1m' })).sequence(s => s.deploy([auth], { to: staging })),
        )
        .step('s', () => 1)
        .notify(slack(secret('HOOK'), '#releases')),
    )
    .onFailure('stop')

  for (const [name, value] of Object.entries({
    whole,
    auth,
    order,
    staging,
    pace,
    rolling: rolling(),
    local: local(),
  })) {
    test(`every part of ${name} is frozen`, () => {
      expect(looseParts(value, name)).toEqual([])
    })
  }

  test('a method leaves its release as it was', () => {
    const one = begun.stage('one', s => s.wait('1s'))
    const before = JSON.stringify(plain(modelOf(one)))
    const two = one.stage('two', s => s)
    const three = one.onFailure('stop')
    expect(JSON.stringify(plain(modelOf(one)))).toBe(before)
    expect([one, two, three].map(each => modelOf(each)?.stages.length)).toEqual([1, 2, 1])
    expect(modelOf(three)?.onFailure).toBe('stop')
  })

  test('a stage can be used twice', () => {
    const made = begun.stage('twice', s => {
      const base = s.wait('1s')
      base.wait('2s')
      return base.wait('3s')
    })
    expect(itemsOf(made)).toMatchObject([{ duration: '1s' }, { duration: '3s' }])
  })

  test("the team's own objects stay the team's", () => {
    const from = { manager: 1 }
    const start = ['node', 'main.js']
    const made = release('phoenix', { version: '1.0.0', components: [service('a', { start })] }).stage(
      's',
      s => s.approval('a', { from }),
    )
    from.manager = 7
    start.push('--watch')
    expect(itemsOf(made)).toMatchObject([{ from: { manager: 1 } }])
    expect(modelOf(made)?.components[0]?.start).toEqual(['node', 'main.js'])
  })
})

describe('modelOf', () => {
  const nothing: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['a string', 'release'],
    ['a plain object', { name: 'phoenix' }],
    ['a component', auth],
    ['an object that borrows the key', { [Symbol.for('release-as-code/model')]: 7 }],
  ]
  for (const [what, value] of nothing) {
    test(`${what} is no release`, () => expect(modelOf(value)).toBeNull())
  }

  test('a release made by another copy of the package is one', async () => {
    const entry = fileURLToPath(new URL('../../../src/index.ts', import.meta.url))
    const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'esm', write: false })
    const code = Buffer.from(outputFiles[0]?.contents ?? []).toString('base64')
    const copy = (await import(/* @vite-ignore */ `data:text/javascript;base64,${code}`)) as typeof language
    expect(copy.release).not.toBe(release)

    const theirs = copy.release('phoenix', { version: '3.0.0', components: [copy.service('auth-service')] })
    expect(modelOf(theirs)).toMatchObject({ name: 'phoenix', components: [{ name: 'auth-service' }] })
    expect(copy.modelOf(begun)).toBe(modelOf(begun))
    // A component of one copy goes into a release of the other.
    expect(
      modelOf(copy.release('phoenix', { version: '3.0.0', components: [auth] }))?.components[0]?.name,
    ).toBe('auth-service')
  })
})

describe('cost', () => {
  test('a release of ten thousand items is defined, and is complete', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => index)
    const made = release('large', { version: '1.0.0' }).stage('all', s =>
      s.each(many, (s, index) => s.step(`step-${index}`, () => index)),
    )
    expect(modelOf(made)?.stages[0]?.items.length).toBe(10_000)
  })
})
