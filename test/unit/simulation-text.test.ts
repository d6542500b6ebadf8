/** What a simulation says to people of divided traffic: when it rises, how often it is watched, and what nobody measures. */
import { expect, test } from 'vitest'
import { simulate } from '../../runner/simulate/simulate.ts'
import { renderSimulation } from '../../runner/views/simulation-text.ts'
import { painterOf } from '../../runner/views/terminal-text.ts'
import { canary, environment, errorRate, local, release, service } from '../../src/index.ts'
import { planOf, sha256 } from './compile-rig.ts'

const production = environment('production', { on: local() })
const old = { version: '1.0.0', digest: sha256('old') }
const db = service('db', { critical: true })
const api = service('api', { critical: true, needs: [db] })
const mail = service('mail', { critical: true })
const live = { production: { db: old, api: old, mail: old } }
const steps = { steps: [10, 100], every: '1m' } as const

test('weights with their times, one line for those that go together, and what is not watched', async () => {
  const plan = planOf(
    release('shop', { version: '2.0.0', components: [db, api, mail] })
      .stage('production', s =>
        s.deploy([db, api], {
          to: production,
          order: 'lockstep',
          with: canary({ ...steps, analysis: [errorRate().below('1%')] }),
        }),
      )
      .stage('mail', s => s.deploy([mail], { to: production, with: canary(steps) })),
    { live },
  )
  const simulation = await simulate({ plan, duration: () => 1000, seeds: 1, most: 40 })
  const position = { file: 'releases/shop.ts', line: 12, column: 5 }
  const placed = { ...simulation, unwatched: simulation.unwatched.map(one => ({ ...one, position })) }
  const text = renderSimulation(placed, {
    paint: painterOf({ color: false }),
    plan,
    known: { runs: 0, nodes: 0 },
  })
  // How many writes a failure comes to is the engine's affair.
  expect(`\n${text.replaceAll(/ of \d{4,}/g, ' of thousands')}`).toMatchInlineSnapshot(`
    "
    shop 2.0.0: 32 nodes, expected to take 4 min 14 s where nothing fails and people answer at once
    There are no earlier runs: all durations are assumed.

      production  ████████████████████████                          0 ms – 2 min 9 s
      mail                                ████████████████████████  2 min 9 s – 4 min 14 s
      db in production: 10 % at 4.0 s, 100 % at 1 min 6 s, promoted at 2 min 8 s; watched 2 times
      api in production: 10 % at 5.0 s, 100 % at 1 min 7 s, promoted at 2 min 9 s; watched 2 times
      mail in production: 10 % at 2 min 12 s, 100 % at 3 min 13 s, promoted at 4 min 14 s; not watched

    102 of thousands cases were tried; of the kills a sample (--most):
        47 of 47  ways in which a node can fail
        14 of 14  in which taking back what was done can
       20 of 121  kills of the runner, before and after each write
      20 of thousands  the same once something fails: while it is tried again, contained, taken back
    ! mail in production gets requests while nothing of it is measured: only its health would stop it (releases/shop.ts:12:5)

    ✓ Every case that was tried ends all new, all old, or exactly as its policy promises.
    "
  `)
})

test('how much of each kind was tried, and what no failure takes back', async () => {
  const undoable = { idempotent: true, undo: () => {} } as const
  const plan = planOf(
    release('steps', { version: '2.0.0' })
      .stage('steps', s =>
        s
          .step('a', () => {}, undoable)
          .step('b', () => {}, undoable)
          .step('c', () => {}, undoable)
          .step('d', () => {}, undoable),
      )
      .onFailure('stop'),
    {},
  )
  const said = async (most: number, seeds: number) => {
    const simulation = await simulate({ plan, duration: () => 1000, seeds, most })
    const known = { runs: 1, nodes: 2 }
    const text = renderSimulation(simulation, { paint: painterOf({ color: false }), plan, known })
    const lines = text.split('\n')
    return [lines[1], ...lines.slice(5)].join('\n')
  }
  expect(`\n${await said(1000, 1)}`).toMatchInlineSnapshot(`
    "
    Durations: the median of one earlier run for 2 nodes, assumed for 2.
    All 130 cases were tried:
      12 of 12  ways in which a node can fail
        0 of 0  in which taking back what was done can
      21 of 21  kills of the runner, before and after each write
      96 of 96  the same once something fails: while it is tried again, contained, taken back
      no failure that was tried takes back steps/a, steps/b, steps/c and 1 more

    ✓ Every case ends all new, all old, or exactly as its policy promises.
    "
  `)
  expect(`\n${await said(4, 2)}`).toMatchInlineSnapshot(`
    "
    Durations: the median of one earlier run for 2 nodes, assumed for 2.
    17 of 130 cases were tried, each in 2 orders; of the kills a sample (--most):
      12 of 12  ways in which a node can fail
        0 of 0  in which taking back what was done can
       2 of 21  kills of the runner, before and after each write
       2 of 96  the same once something fails: while it is tried again, contained, taken back
      no failure that was tried takes back steps/a, steps/b, steps/c and 1 more

    ✓ Every case that was tried ends all new, all old, or exactly as its policy promises.
    "
  `)
})
