/** What a definition becomes: nodes, and the edges between them. */
import { describe, expect, test } from 'vitest'
import {
  allAtOnce,
  command,
  coverage,
  environment,
  http,
  local,
  param,
  release,
  rolling,
  secret,
  service,
  slack,
  webhook,
} from '../../src/index.ts'
import { outline, planOf } from './compile-rig.ts'

const staging = environment('staging', { on: local() })
const production = environment('production', { on: local({ cluster: 'shared' }), protect: true })
const auth = service('auth', { critical: true })
const pay = service('pay', { needs: [auth] })
const order = service('order', { needs: [auth, pay] })
const holds = (...components: readonly (typeof auth | typeof pay | typeof order)[]) =>
  release('r', { version: '1.0.0', components })
const nothing = release('r', { version: '1.0.0' })
const done = () => {}

const nodeOf = (definition: unknown, key: string) => planOf(definition).nodes.find(node => node.key === key)

describe('each kind of item', () => {
  test('a gate by command, with its own time limit and retry', () => {
    const gate = nothing.stage('check', s =>
      s.gate('scan', command('npm run "my scan"', { cwd: 'web' }).passes(), {
        required: false,
        timeout: '90s',
        retry: { limit: 2, delay: '500ms', maxDelay: '2s' },
      }),
    )
    expect(nodeOf(gate, 'check/scan')).toMatchInlineSnapshot(`
      {
        "after": [],
        "key": "check/scan",
        "needs": [],
        "operation": {
          "check": {
            "command": {
              "argv": [
                "npm",
                "run",
                "my scan",
              ],
              "cwd": "web",
            },
            "kind": "command",
          },
          "kind": "gate",
          "name": "scan",
          "required": false,
        },
        "retry": {
          "delay": 500,
          "limit": 2,
          "maxDelay": 2000,
        },
        "stage": "check",
        "timeout": 90000,
        "title": "gate: scan",
        "undo": {
          "kind": "nothing",
        },
      }
    `)
  })

  test('a gate by coverage', () => {
    const gate = nothing.stage('check', s =>
      s.gate('tests', coverage(['npm', 'test'], { metric: 'branches', report: 'lcov.info' }).atLeast(87.5)),
    )
    expect(nodeOf(gate, 'check/tests')?.operation).toMatchInlineSnapshot(`
      {
        "check": {
          "atLeast": 87.5,
          "command": {
            "argv": [
              "npm",
              "test",
            ],
            "cwd": "",
          },
          "kind": "coverage",
          "metric": "branches",
          "report": "lcov.info",
        },
        "kind": "gate",
        "name": "tests",
        "required": true,
      }
    `)
  })

  test('a gate over HTTP, to an address and to a component', () => {
    const gates = holds(auth)
      .stage('up', s => s.deploy([auth], { to: staging }))
      .stage('check', s =>
        s
          .gate('status page', http('https://techcorp.example/status', { method: 'HEAD' }).answers(204))
          .gate('auth is up', http({ component: auth, in: staging, path: '/health' }).answers()),
      )
    expect(nodeOf(gates, 'check/status page')?.operation).toMatchInlineSnapshot(`
      {
        "check": {
          "kind": "http",
          "method": "HEAD",
          "status": 204,
          "target": {
            "url": "https://techcorp.example/status",
          },
        },
        "kind": "gate",
        "name": "status page",
        "required": true,
      }
    `)
    expect(nodeOf(gates, 'check/auth is up')?.operation).toMatchInlineSnapshot(`
      {
        "check": {
          "kind": "http",
          "method": "GET",
          "status": 200,
          "target": {
            "component": "auth",
            "environment": "staging",
            "path": "/health",
          },
        },
        "kind": "gate",
        "name": "auth is up",
        "required": true,
      }
    `)
  })

  test("a gate by the team's own function", () => {
    const gate = nothing.stage('check', s => s.gate('freeze is over', () => true))
    expect(nodeOf(gate, 'check/freeze is over')?.operation).toMatchInlineSnapshot(`
      {
        "check": {
          "kind": "function",
        },
        "kind": "gate",
        "name": "freeze is over",
        "required": true,
      }
    `)
  })

  test('an approval', () => {
    const approval = nothing.stage('go', s =>
      s.approval('go live', { from: { boss: 2 }, expires: '3d', self: true }),
    )
    expect(nodeOf(approval, 'go/go live')).toMatchInlineSnapshot(`
      {
        "after": [],
        "key": "go/go live",
        "needs": [],
        "operation": {
          "expires": 259200000,
          "from": {
            "boss": 2,
          },
          "kind": "approval",
          "name": "go live",
          "self": true,
        },
        "retry": {
          "delay": 1000,
          "limit": 0,
          "maxDelay": 60000,
        },
        "stage": "go",
        "timeout": null,
        "title": "approval: go live",
        "undo": {
          "kind": "nothing",
        },
      }
    `)
  })

  test('steps, by what they say of their undo', () => {
    const steps = nothing.stage('do', s =>
      s
        .step('undone', done, { undo: done, observe: () => undefined })
        .step('lasting', done, { undo: 'none', idempotent: true })
        .step('fleeting', done, { undo: 'not-needed', idempotent: true })
        .step('silent', done),
    )
    const { nodes } = planOf(steps)
    expect(nodes.map(({ undo, operation }) => ({ ...operation, undo }))).toMatchInlineSnapshot(`
      [
        {
          "idempotent": false,
          "kind": "step",
          "name": "undone",
          "observable": true,
          "undo": {
            "kind": "step",
          },
        },
        {
          "idempotent": true,
          "kind": "step",
          "name": "lasting",
          "observable": false,
          "undo": {
            "freezes": true,
            "kind": "irreversible",
            "reason": "the step "lasting" says that nothing can undo it",
          },
        },
        {
          "idempotent": true,
          "kind": "step",
          "name": "fleeting",
          "observable": false,
          "undo": {
            "kind": "nothing",
          },
        },
        {
          "idempotent": false,
          "kind": "step",
          "name": "silent",
          "observable": false,
          "undo": {
            "kind": "irreversible",
            "reason": "the step "silent" has no undo",
          },
        },
      ]
    `)
    expect(nodes[0]?.timeout).toBe(30 * 60_000)
  })

  test('waits and messages: two of a kind are two nodes', () => {
    const items = nothing.stage('end', s =>
      s
        .wait('2s')
        .wait('2s')
        .notify(slack(secret('HOOK'), '#releases'))
        .notify(slack('http://127.0.0.1:1/', '#releases'), { message: '{release} is out', required: true })
        .notify(webhook('http://127.0.0.1:1/')),
    )
    expect(outline(planOf(items))).toMatchInlineSnapshot(`
      "
      end/wait-2s (wait)
      end/wait-2s-2 (wait)
        needs end/wait-2s
      end/notify-slack-releases (notify)
        needs end/wait-2s-2
      end/notify-slack-releases-2 (notify)
        needs end/notify-slack-releases
      end/notify-webhook (notify)
        needs end/notify-slack-releases-2
      "
    `)
    expect(nodeOf(items, 'end/notify-slack-releases')?.operation).toMatchInlineSnapshot(`
      {
        "channel": {
          "channel": "#releases",
          "kind": "slack",
          "url": {
            "secret": "HOOK",
          },
        },
        "kind": "notify",
        "message": null,
        "required": false,
      }
    `)
    expect(nodeOf(items, 'end/wait-2s')?.operation).toEqual({ kind: 'wait', duration: 2000 })
  })

  test('a wait or a message makes way for a step of that name, before it or after', () => {
    const items = nothing.stage('s', s =>
      s
        .wait('2s')
        .notify(webhook('http://127.0.0.1:1/'))
        .step('wait-2s', done, { undo: 'none', idempotent: true })
        .gate('notify-webhook', () => true)
        .wait('2s'),
    )
    expect(planOf(items).nodes.map(node => [node.key, node.operation.kind])).toEqual([
      ['s/wait-2s-2', 'wait'],
      ['s/notify-webhook-2', 'notify'],
      ['s/wait-2s', 'step'],
      ['s/notify-webhook', 'gate'],
      ['s/wait-2s-3', 'wait'],
    ])
  })
})

describe('order', () => {
  const gate = () => true
  test('a sequence: each needs the one before; a parallel: side by side, and what follows needs all', () => {
    const made = nothing
      .stage('a', s =>
        s
          .gate('1', gate)
          .parallel(p =>
            p
              .gate('2', gate)
              .sequence(q => q.gate('3', gate).gate('4', gate))
              .gate('5', gate),
          )
          .gate('6', gate),
      )
      .stage('b', s => s.gate('7', gate))
    expect(outline(planOf(made))).toMatchInlineSnapshot(`
      "
      a/1 (gate)
      a/2 (gate)
        needs a/1
      a/3 (gate)
        needs a/1
      a/4 (gate)
        needs a/3
      a/5 (gate)
        needs a/1
      a/6 (gate)
        needs a/2, a/4, a/5
      b/7 (gate)
        needs a/6
      "
    `)
  })

  test('two wide groups meet in one node', () => {
    const wide = nothing.stage('s', s =>
      s
        .parallel(p => p.gate('1', gate).gate('2', gate).gate('3', gate))
        .parallel(p => p.gate('4', gate).gate('5', gate).gate('6', gate))
        .parallel(p => p.gate('7', gate).gate('8', gate)),
    )
    expect(outline(planOf(wide))).toMatchInlineSnapshot(`
      "
      s/1 (gate)
      s/2 (gate)
      s/3 (gate)
      s/join/1 (join)
        needs s/1, s/2, s/3
      s/4 (gate)
        needs s/join/1
      s/5 (gate)
        needs s/join/1
      s/6 (gate)
        needs s/join/1
      s/join/2 (join)
        needs s/4, s/5, s/6
      s/7 (gate)
        needs s/join/2
      s/8 (gate)
        needs s/join/2
      "
    `)
  })

  test('an empty parallel and an empty stage pass on what came before', () => {
    const made = nothing
      .stage('a', s => s.gate('1', gate).parallel(p => p))
      .stage('b', s => s)
      .stage('c', s => s.gate('2', gate))
    expect(planOf(made).nodes.at(-1)?.needs).toEqual(['a/1'])
  })

  test('stages: after all, after some, after none; only the direct ones are named', () => {
    const made = nothing
      .stage('a', s => s.gate('1', gate))
      .stage('b', { after: [] }, s => s.gate('2', gate))
      .stage('c', { after: ['a'] }, s => s.gate('3', gate))
      .stage('d', { after: ['a', 'c'], onFailure: 'stop' }, s => s.gate('4', gate))
      .stage('e', s => s.gate('5', gate))
    const plan = planOf(made)
    expect(plan.stages).toMatchInlineSnapshot(`
      [
        {
          "after": [],
          "name": "a",
          "policy": "rollback-all",
        },
        {
          "after": [],
          "name": "b",
          "policy": "rollback-all",
        },
        {
          "after": [
            "a",
          ],
          "name": "c",
          "policy": "rollback-all",
        },
        {
          "after": [
            "c",
          ],
          "name": "d",
          "policy": "stop",
        },
        {
          "after": [
            "b",
            "d",
          ],
          "name": "e",
          "policy": "rollback-all",
        },
      ]
    `)
    expect(plan.nodes.at(-1)).toMatchObject({ needs: ['b/2', 'd/4'] })
  })
})

describe('a deployment', () => {
  test.each<[string, number, ReturnType<typeof rolling>, number[][]]>([
    ['one at a time', 3, rolling(), [[0, 1, 0], [1, 2, 0], [2, 3, 0]]], // biome-ignore format: a table
    ['two of five', 5, rolling({ batch: 2 }), [[0, 2, 0], [2, 4, 0], [4, 5, 0]]], // biome-ignore format: a table
    ['more than there are', 2, rolling({ batch: 9 }), [[0, 2, 0]]],
    ['a share, rounded up', 5, rolling({ batch: '25%' }), [[0, 2, 0], [2, 4, 0], [4, 5, 0]]], // biome-ignore format: a table
    ['no share still is one', 2, rolling({ batch: '0%' }), [[0, 1, 0], [1, 2, 0]]], // biome-ignore format: a table
    ['missing, rounded down', 4, rolling({ batch: '50%', maxUnavailable: '30%' }), [[0, 2, 1], [2, 4, 1]]], // biome-ignore format: a table
    ['all at once', 3, allAtOnce(), [[0, 3, 0]]],
  ])('in batches: %s', (_, instances, strategy, expected) => {
    const many = service('many', { instances })
    const plan = planOf(
      release('r', { version: '1.0.0', components: [many] }).stage('s', s =>
        s.deploy([many], { to: staging, with: strategy }),
      ),
    )
    const batches = plan.nodes.flatMap(({ operation }) =>
      operation.kind === 'replace' ? [[operation.from, operation.to, operation.maxUnavailable]] : [],
    )
    expect(batches).toEqual(expected)
    expect(plan.nodes.at(-1)?.operation).toMatchObject({ kind: 'verify', instances })
  })

  test('prepare, replace, verify: as they stand in the plan', () => {
    const token = secret('TOKEN')
    const pace = param('pace', { choices: ['quick', 'real'], default: 'quick' })
    const one = service('one', {
      version: '2.1.0',
      start: 'node "my server.js" --port 1',
      health: { path: '/up', timeout: '5s', interval: '50ms' },
      env: { TOKEN: token, PACE: pace, N: 3, SLOW: pace.pick({ quick: false, real: true }) },
      instances: { staging: 1, production: 2 },
    })
    const plan = planOf(
      release('r', { version: '1.0.0', components: [one], params: [pace] })
        .stage('staging', s =>
          s
            .deploy([one], { to: staging, with: rolling({ progressDeadline: '3m' }) })
            .gate('seen', () => true),
        )
        .stage('production', s => s.deploy([one], { to: production })),
    )
    expect(plan.nodes.slice(0, 3)).toMatchInlineSnapshot(`
      [
        {
          "after": [],
          "component": "one",
          "environment": "staging",
          "key": "staging/one/prepare",
          "needs": [],
          "operation": {
            "kind": "prepare",
            "revision": {
              "component": "one",
              "digest": "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
              "env": {
                "N": {
                  "value": "3",
                },
                "PACE": {
                  "value": "quick",
                },
                "SLOW": {
                  "value": "false",
                },
                "TOKEN": {
                  "secret": "TOKEN",
                },
              },
              "health": {
                "interval": 50,
                "path": "/up",
                "timeout": 5000,
              },
              "start": [
                "node",
                "my server.js",
                "--port",
                "1",
              ],
              "version": "2.1.0",
            },
          },
          "retry": {
            "delay": 1000,
            "limit": 0,
            "maxDelay": 60000,
          },
          "stage": "staging",
          "timeout": 300000,
          "title": "one: keep 2.1.0",
          "undo": {
            "kind": "nothing",
          },
        },
        {
          "after": [],
          "component": "one",
          "environment": "staging",
          "key": "staging/one/rolling/1",
          "needs": [
            "staging/one/prepare",
          ],
          "operation": {
            "from": 0,
            "kind": "replace",
            "maxUnavailable": 0,
            "prepared": "staging/one/prepare",
            "revision": {
              "component": "one",
              "digest": "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
              "env": {
                "N": {
                  "value": "3",
                },
                "PACE": {
                  "value": "quick",
                },
                "SLOW": {
                  "value": "false",
                },
                "TOKEN": {
                  "secret": "TOKEN",
                },
              },
              "health": {
                "interval": 50,
                "path": "/up",
                "timeout": 5000,
              },
              "start": [
                "node",
                "my server.js",
                "--port",
                "1",
              ],
              "version": "2.1.0",
            },
            "to": 1,
          },
          "retry": {
            "delay": 1000,
            "limit": 0,
            "maxDelay": 60000,
          },
          "stage": "staging",
          "timeout": 180000,
          "title": "one: instance 1 of 1 to 2.1.0",
          "undo": {
            "kind": "restore",
          },
        },
        {
          "after": [],
          "component": "one",
          "environment": "staging",
          "key": "staging/one/verify",
          "needs": [
            "staging/one/rolling/1",
          ],
          "operation": {
            "instances": 1,
            "kind": "verify",
            "prepared": "staging/one/prepare",
            "revision": {
              "component": "one",
              "digest": "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
              "env": {
                "N": {
                  "value": "3",
                },
                "PACE": {
                  "value": "quick",
                },
                "SLOW": {
                  "value": "false",
                },
                "TOKEN": {
                  "secret": "TOKEN",
                },
              },
              "health": {
                "interval": 50,
                "path": "/up",
                "timeout": 5000,
              },
              "start": [
                "node",
                "my server.js",
                "--port",
                "1",
              ],
              "version": "2.1.0",
            },
          },
          "retry": {
            "delay": 1000,
            "limit": 0,
            "maxDelay": 60000,
          },
          "stage": "staging",
          "timeout": 300000,
          "title": "one: verify 1 × 2.1.0",
          "undo": {
            "kind": "restore",
          },
        },
      ]
    `)
    expect(plan.nodes.map(node => node.key).slice(4)).toMatchInlineSnapshot(`
      [
        "production/one/prepare",
        "production/one/rolling/1",
        "production/one/rolling/2",
        "production/one/verify",
      ]
    `)
    expect(plan.components).toMatchInlineSnapshot(`
      [
        {
          "critical": false,
          "env": {
            "N": {
              "value": "3",
            },
            "PACE": {
              "value": "quick",
            },
            "SLOW": {
              "value": "false",
            },
            "TOKEN": {
              "secret": "TOKEN",
            },
          },
          "group": 1,
          "name": "one",
          "needs": [],
          "source": "services/one",
          "type": "service",
          "version": "2.1.0",
        },
      ]
    `)
    expect(plan.environments).toMatchInlineSnapshot(`
      [
        {
          "name": "staging",
          "platform": {
            "cluster": "r",
            "kind": "local",
          },
          "protect": false,
        },
        {
          "name": "production",
          "platform": {
            "cluster": "shared",
            "kind": "local",
          },
          "protect": true,
        },
      ]
    `)
    expect(plan.secrets).toMatchInlineSnapshot(`
      [
        {
          "from": "env",
          "name": "TOKEN",
          "variable": "TOKEN",
        },
      ]
    `)
  })

  test('providers first, whatever the order written; a consumer needs exactly what it needs', () => {
    const made = holds(order, pay, auth).stage('staging', s => s.deploy([order, pay, auth], { to: staging }))
    expect(outline(planOf(made))).toMatchInlineSnapshot(`
      "
      staging/auth/prepare (prepare)
      staging/auth/rolling/1 (replace, undo: restore)
        needs staging/auth/prepare
      staging/auth/verify (verify, undo: restore)
        needs staging/auth/rolling/1
      staging/pay/prepare (prepare)
      staging/pay/rolling/1 (replace, undo: restore)
        needs staging/pay/prepare, staging/auth/verify
      staging/pay/verify (verify, undo: restore)
        needs staging/pay/rolling/1
      staging/order/prepare (prepare)
      staging/order/rolling/1 (replace, undo: restore)
        needs staging/order/prepare, staging/auth/verify, staging/pay/verify
      staging/order/verify (verify, undo: restore)
        needs staging/order/rolling/1
      "
    `)
  })

  test('a provider in another environment holds nobody up; an earlier deployment here does', () => {
    const made = holds(auth, pay)
      .stage('staging', s => s.deploy([auth], { to: staging }))
      .stage('guard', { after: [] }, s => s.gate('g', () => true))
      .stage('production', { after: ['guard'] }, s => s.deploy([auth], { to: production }))
      .stage('later', { after: ['staging', 'production'] }, s => s.deploy([pay], { to: production }))
    const node = nodeOf(made, 'later/production/pay/rolling/1')
    expect(node).toMatchObject({ needs: ['later/production/pay/prepare', 'production/auth/verify'] })
    expect(nodeOf(made, 'later/production/pay/prepare')).toMatchObject({
      needs: [],
      after: ['staging/auth/verify', 'production/auth/verify'],
    })
  })

  test('a component that goes on to another environment needs to have got through the one before', () => {
    const made = holds(auth, pay)
      .stage('staging', s => s.deploy([auth, pay], { to: staging }))
      .stage('production', s => s.gate('g', () => true).deploy([pay, auth], { to: production }))
    expect(nodeOf(made, 'production/auth/prepare')?.needs).toEqual(['production/g', 'staging/auth/verify'])
    expect(nodeOf(made, 'production/pay/prepare')?.needs).toEqual(['production/g', 'staging/pay/verify'])
  })

  test('the same component, deployed again in a later stage to the same environment', () => {
    const made = holds(auth)
      .stage('one', s => s.deploy([auth], { to: staging }))
      .stage('two', s => s.deploy([auth], { to: staging, with: allAtOnce() }))
    expect(outline(planOf(made))).toMatchInlineSnapshot(`
      "
      one/staging/auth/prepare (prepare)
      one/staging/auth/rolling/1 (replace, undo: restore)
        needs one/staging/auth/prepare
      one/staging/auth/verify (verify, undo: restore)
        needs one/staging/auth/rolling/1
      two/staging/auth/prepare (prepare)
        needs one/staging/auth/verify
      two/staging/auth/all-at-once/1 (replace, undo: restore)
        needs two/staging/auth/prepare
      two/staging/auth/verify (verify, undo: restore)
        needs two/staging/auth/all-at-once/1
      "
    `)
  })

  test('a pinned group comes after the groups before it, without needing them', () => {
    const first = service('first')
    const second = service('second', { needs: [first] })
    const pinned = service('pinned', { group: 3 })
    const made = release('r', { version: '1.0.0', components: [pinned, second, first] }).stage('staging', s =>
      s.deploy([pinned, second, first], { to: staging }),
    )
    const plan = planOf(made)
    expect(plan.components.map(({ name, group }) => `${name} ${group}`)).toEqual([
      'first 1',
      'second 2',
      'pinned 3',
    ])
    expect(plan.nodes.find(({ key }) => key === 'staging/pinned/rolling/1')).toMatchObject({
      needs: ['staging/pinned/prepare'],
      after: ['staging/first/verify', 'staging/second/verify'],
    })
  })

  test('what follows a deployment comes after it, and does not need it', () => {
    const made = holds(auth, pay).stage('staging', s =>
      s.deploy([auth, pay], { to: staging }).gate('smoke', () => true),
    )
    expect(nodeOf(made, 'staging/smoke')).toMatchObject({
      needs: [],
      after: ['staging/auth/verify', 'staging/pay/verify'],
    })
  })

  test('after three and more there is a join, which comes after all of them', () => {
    const made = holds(auth, pay, order)
      .stage('staging', s => s.deploy([auth, pay, order], { to: staging }))
      .stage('production', s => s.gate('g', () => true).deploy([auth, pay, order], { to: production }))
      .stage('again', s => s.deploy([auth, pay], { to: production }))
    expect(nodeOf(made, 'again/join/1')).toMatchInlineSnapshot(`
      {
        "after": [
          "production/auth/verify",
          "production/pay/verify",
          "production/order/verify",
        ],
        "key": "again/join/1",
        "needs": [],
        "operation": {
          "kind": "join",
        },
        "retry": {
          "delay": 1000,
          "limit": 0,
          "maxDelay": 60000,
        },
        "stage": "again",
        "timeout": null,
        "title": "all of these",
        "undo": {
          "kind": "nothing",
        },
      }
    `)
    expect(nodeOf(made, 'again/production/auth/prepare')).toMatchObject({
      needs: ['again/join/1', 'staging/auth/verify', 'production/auth/verify'],
      after: [],
    })
  })

  test('side by side, deployments do not see each other', () => {
    const made = holds(auth, pay).stage('staging', s =>
      s.parallel(p => p.deploy([auth], { to: staging }).deploy([pay], { to: staging })),
    )
    expect(nodeOf(made, 'staging/pay/rolling/1')?.needs).toEqual(['staging/pay/prepare'])
  })
})

test('what a param decides is in the plan as decided', () => {
  const pace = param('pace', { choices: ['quick', 'real'], default: 'real' })
  const version = param('version', { default: '1.0.0' })
  const batch = param('batch', { type: 'number' })
  const many = service('many', { instances: 4, version })
  const made = release('r', { version, params: [pace, version, batch], components: [many] }).stage('s', s =>
    s.wait(pace.pick({ quick: '2s', real: '30m' })).deploy([many], { to: staging, with: rolling({ batch }) }),
  )
  const plan = planOf(made, { params: { pace: 'quick', version: '3.1.4', batch: '3' } })
  expect(plan.params).toEqual({ pace: 'quick', version: '3.1.4', batch: 3 })
  expect(plan.release.version).toBe('3.1.4')
  expect(plan.nodes.map(({ title }) => title)).toEqual([
    'wait 2s',
    'many: keep 3.1.4',
    'many: instances 1–3 of 4 to 3.1.4',
    'many: instance 4 of 4 to 3.1.4',
    'many: verify 4 × 3.1.4',
  ])
})
