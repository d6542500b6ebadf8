/** Everything that the compiler finds: code, words, what to do, and the place. */
import { describe, expect, test } from 'vitest'
import { compileRelease } from '../../src/compile/compile.ts'
import {
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
  webhook,
} from '../../src/index.ts'
import { compileIt, people, resolveIt, tell, type World } from './compile-rig.ts'

const staging = environment('staging', { on: local() })
const production = environment('production', { on: local(), protect: true })
const auth = service('auth')
const pay = service('pay', { needs: [auth] })
const made = (options: object = {}) => release('r', { version: '1.0.0', components: [auth], ...options })
const plain = made().stage('s', s => s.gate('g', () => true))
const step = { undo: 'not-needed', idempotent: true } as const
const gate = (line: string | [string]) => made().stage('s', s => s.gate('g', command(line).passes()))

/** What the types refuse already, for definitions that nobody checked. */
const any = (value: unknown): never => value as never

const found = (definition: unknown, world: World = {}): string => {
  const { plan, diagnostics } = compileIt(definition, world)
  expect(plan === null).toBe(diagnostics.some(({ severity }) => severity === 'error'))
  return `\n${tell(diagnostics)}\n`
}

test('nothing, where all is well', () => {
  expect(found(plain)).toBe('\n\n')
})

describe('params', () => {
  const pace = param('pace', { choices: ['quick', 'real'], default: 'quick', help: 'how fast' })
  const size = param('size', { type: 'number', help: 'of a batch' })
  const loud = param('loud', { default: false })
  const takes = (...params: (typeof pace | typeof size | typeof loud)[]) =>
    made({ params }).stage('s', s => s.gate('g', () => true))

  test('unknown, with and without others; also one that every object has', () => {
    expect(found(takes(pace), { params: { pase: 'quick' } })).toMatchInlineSnapshot(`
      "
      error[unknown-param] at no place: --param pase: the release has no param of that name
        help: It takes pace.
      "
    `)
    expect(found(plain, { params: { toString: '1' } })).toMatchInlineSnapshot(`
      "
      error[unknown-param] at no place: --param toString: the release has no param of that name
        help: It takes no params at all.
      "
    `)
    const odd = param('constructor', { default: 'x' })
    expect(found(made({ params: [odd] }).stage('s', s => s.gate('g', () => true)))).toBe('\n\n')
  })

  test('missing, of another type, none of the choices', () => {
    expect(found(takes(size))).toMatchInlineSnapshot(`
      "
      error[param-missing] at param size: the param "size" has no value (of a batch)
        help: Give it with --param size=VALUE, or give it a default.
      "
    `)
    expect(
      found(takes(pace, size, loud), { params: { pace: 'slow', size: 'many', loud: 'yes' } }),
    ).toMatchInlineSnapshot(`
      "
      error[param-choice] at param pace: the param "pace" is "slow", which is none of its choices
        help: Choose one of quick, real.
      error[param-type] at param size: --param size=many: it has to be a number
        help: Say a number.
      error[param-type] at param loud: --param loud=yes: it has to be a boolean
        help: Say true or false.
      "
    `)
    for (const size_ of ['', ' ', 'NaN', 'Infinity', '1e999'])
      expect(found(takes(size), { params: { size: size_ } })).toContain('error[param-type]')
  })

  test('used and not listed; two of one name', () => {
    const used = made({ version: param('version', { default: '1.0.0' }) })
    expect(
      found(used.stage('s', s => s.wait(any(pace.pick({ quick: '1s', real: '2s' }))))),
    ).toMatchInlineSnapshot(`
      "
      error[param-not-listed] at no place: the param "version" is used, but the release does not list it
        help: Add it to the release: params: [version].
      error[param-not-listed] at no place: the param "pace" is used, but the release does not list it
        help: Add it to the release: params: [pace].
      "
    `)
    expect(found(takes(pace, any(param('pace', { default: 'x' }))))).toMatchInlineSnapshot(`
      "
      error[duplicate-param] at param pace: two params are named "pace"
        help: Define it once and use it by reference.
        see param pace: the first one
      "
    `)
  })
})

describe('the release', () => {
  test.each(['3.0', 'v3.0.0', '3.0.0.0', ' 3.0.0', '', '03.0.0', 'latest'])('no version: %j', version => {
    expect(found(made({ version }).stage('s', s => s.gate('g', () => true)))).toContain(
      'error[not-a-version]',
    )
  })

  test.each(['3.0.0', '3.0.0-rc.1', '0.0.0', '2026.4.0'])('a version: %j', version => {
    expect(found(made({ version }).stage('s', s => s.gate('g', () => true)))).toBe('\n\n')
  })

  test('a version that nearly is one', () => {
    expect(
      found(made({ version: 'v3.0.0' }).stage('s', s => s.gate('g', () => true))),
    ).toMatchInlineSnapshot(`
      "
      error[not-a-version] at release: the release's version is "v3.0.0", which is no SemVer version
        help: Write '3.0.0'.
      "
    `)
    expect(found(made({ version: '3.0' }).stage('s', s => s.gate('g', () => true)))).toMatchInlineSnapshot(`
      "
      error[not-a-version] at release: the release's version is "3.0", which is no SemVer version
        help: Write three numbers, as in '3.0.0'.
      "
    `)
  })

  test.each(['2024-3-15', '2024-02-30', '2023-02-29', '2024-13-01', '15.03.2024', '2024-03-15T10:00'])(
    'no date: %j',
    targetDate => {
      expect(found(made({ targetDate }).stage('s', s => s.gate('g', () => true)))).toContain(
        'error[not-a-date]',
      )
    },
  )

  test('a date, and what is none', () => {
    expect(found(made({ targetDate: '2024-02-29' }).stage('s', s => s.gate('g', () => true)))).toBe('\n\n')
    expect(
      found(made({ targetDate: '2100-02-29' }).stage('s', s => s.gate('g', () => true))),
    ).toMatchInlineSnapshot(`
      "
      error[not-a-date] at release: the target date is "2100-02-29"
        help: Write it as year, month and day: '2024-03-15'.
      "
    `)
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('no concurrency: %d', concurrency => {
    const wrong = made({ concurrency }).stage('s', s => s.gate('g', () => true))
    expect(found(wrong)).toBe(`
error[not-a-count] at release: the concurrency is ${concurrency}
  help: How many effects may be in flight at once is a whole number from 1.
`)
  })

  test('without stages, and with one that does nothing', () => {
    expect(found(made())).toMatchInlineSnapshot(`
      "
      error[no-stages] at release: the release "r" has no stages: there is nothing to run
        help: Add one: .stage('deploy', s => s.deploy(…)).
      "
    `)
    expect(found(made().stage('s', s => s))).toMatchInlineSnapshot(`
      "
      warning[empty-stage] at stage s: the stage "s" does nothing
        help: Put something into it, or take it out.
      "
    `)
  })

  test('a secret that is read from two places', () => {
    const secrets = [secret('TOKEN'), secret('TOKEN', { file: 'token' })]
    expect(found(made({ secrets }).stage('s', s => s.gate('g', () => true)))).toMatchInlineSnapshot(`
      "
      error[duplicate-secret] at secret TOKEN: the secret "TOKEN" is read from two different places
        help: Define it once and use it by reference.
        see secret TOKEN: the first one
      "
    `)
    const same = [secret('TOKEN'), secret('TOKEN')]
    expect(found(made({ secrets: same }).stage('s', s => s.gate('g', () => true)))).toBe('\n\n')
  })
})

describe('names', () => {
  test('twice, across stages and kinds', () => {
    const twice = made()
      .stage('s', s => s.gate('g', () => true))
      .stage('t', s => s.step('g', () => {}, step))
    expect(found(twice)).toMatchInlineSnapshot(`
      "
      error[duplicate-name] at step g: a step, gate or approval named "g" stands twice
        help: Rename one of them: names are unique in a release.
        see gate g: the first one
      "
    `)
    const stages = made()
      .stage('s', s => s.gate('a', () => true))
      .stage(any('s'), s => s.gate('b', () => true))
    expect(found(stages)).toMatchInlineSnapshot(`
      "
      error[duplicate-name] at stage s: a stage named "s" stands twice
        help: Rename one of them: names are unique in a release.
        see stage s: the first one
      "
    `)
  })

  test('that are none', () => {
    const odd = made()
      .stage('a/b', s => s.gate('', () => true))
      .stage(' ', s => s.gate('tab\there', () => true))
    expect(found(odd)).toMatchInlineSnapshot(`
      "
      error[not-a-name] at stage a/b: "a/b" cannot be the name of a stage
        help: A name is not empty and holds neither a slash nor a control character.
      error[not-a-name] at gate : "" cannot be the name of a step, gate or approval
        help: A name is not empty and holds neither a slash nor a control character.
      error[not-a-name] at stage  : " " cannot be the name of a stage
        help: A name is not empty and holds neither a slash nor a control character.
      error[not-a-name] at gate tab	here: "tab\\there" cannot be the name of a step, gate or approval
        help: A name is not empty and holds neither a slash nor a control character.
      "
    `)
  })

  test('of a release: its runs are found by it', () => {
    expect(found(release(' ', { version: '1.0.0' }).stage('s', s => s.wait('1m')))).toMatchInlineSnapshot(`
      "
      error[not-a-name] at release: " " cannot be the name of a release
        help: Its runs are found by it: give it one.
      "
    `)
  })

  test('of components and environments, which are part of an address', () => {
    const odd = service('../etc')
    const far = environment('a/b', { on: local() })
    expect(
      found(
        release('r', { version: '1.0.0', components: [odd] }).stage('s', s => s.deploy([odd], { to: far })),
      ),
    ).toMatchInlineSnapshot(`
      "
      error[not-a-name] at component ../etc: "../etc" cannot be the name of a component
        help: It is part of an address: letters, digits, dots, hyphens and underscores, with a letter or digit first.
      error[not-a-name] at environment a/b: "a/b" cannot be the name of an environment
        help: It is part of an address: letters, digits, dots, hyphens and underscores, with a letter or digit first.
      "
    `)
    for (const name of ['a.b-c_d', '1', 'zürich']) {
      const fine = service(name)
      const one = release('r', { version: '1.0.0', components: [fine] })
      expect(found(one.stage('s', s => s.deploy([fine], { to: staging })))).toBe('\n\n')
    }
  })

  test('two components, two environments', () => {
    const other = service('auth')
    const elsewhere = environment('staging', { on: local({ cluster: 'other' }) })
    expect(
      found(
        release('r', { version: '1.0.0', components: [auth, other] })
          .stage('s', s => s.deploy([auth], { to: staging }))
          .stage('t', s => s.deploy([auth], { to: elsewhere })),
      ),
    ).toMatchInlineSnapshot(`
      "
      error[duplicate-component] at component auth: two components are named "auth"
        help: Rename one of them.
        see component auth: the first one
      error[duplicate-environment] at environment staging: two environments are named "staging"
        help: Define it once and use it by reference.
        see environment staging: the first one
      "
    `)
  })
})

describe('stages', () => {
  test('after one that is not there', () => {
    const made_ = made()
      .stage('build', s => s.gate('g', () => true))
      .stage('deploy', { after: any(['biuld']) }, s => s.gate('h', () => true))
    expect(found(made_)).toMatchInlineSnapshot(`
      "
      error[unknown-stage] at stage deploy: the stage "deploy" is after "biuld", and there is no such stage: it could never be reached
        help: The stages are 'build', 'deploy'.
      "
    `)
  })

  test('in a circle, with its path', () => {
    const circle = made()
      .stage('a', { after: any(['c']) }, s => s.gate('1', () => true))
      .stage('b', { after: ['a'] }, s => s.gate('2', () => true))
      .stage('c', { after: ['b'] }, s => s.gate('3', () => true))
    expect(found(circle)).toMatchInlineSnapshot(`
      "
      error[stage-cycle] at stage a: stages wait for each other in a circle and could never be reached: a → c → b → a
        help: Take one of these names out of its stage's \`after\`.
      "
    `)
    const self = made().stage('a', { after: any(['a']) }, s => s.gate('1', () => true))
    expect(found(self)).toContain('a → a')
  })
})

describe('components', () => {
  const with_ = (...components: readonly ReturnType<typeof service>[]) =>
    release('r', { version: '1.0.0', components }).stage('s', s => s.gate('g', () => true))

  test('a need that the release does not hold', () => {
    expect(found(with_(pay))).toMatchInlineSnapshot(`
      "
      error[need-not-held] at component pay: pay needs auth, which the release does not hold
        help: Add auth to the release's components.
      "
    `)
  })

  test('a version outside the range, a range that is none', () => {
    expect(found(with_(auth, service('pay', { needs: [auth.range('^2.0.0')] })))).toMatchInlineSnapshot(`
      "
      error[version-out-of-range] at need of pay: pay needs auth ^2.0.0, but the release brings 1.0.0
        help: Release a version of auth that fits, or widen the range if 1.0.0 is known to work.
        see component auth: auth is defined here
      "
    `)
    expect(found(with_(auth, service('pay', { needs: [auth.range('>>1')] })))).toMatchInlineSnapshot(`
      "
      error[not-a-range] at need of pay: ">>1" is no SemVer range
        help: Write it as npm does: '^3.0.0', '>=2.9.0 <4.0.0'.
      "
    `)
    expect(
      found(with_(auth, service('pay', { needs: [auth.range('^1.0.0')], version: 'two' }))),
    ).toMatchInlineSnapshot(`
      "
      error[not-a-version] at component pay: the version of pay is "two", which is no SemVer version
        help: Write three numbers, as in '3.0.0'.
      "
    `)
  })

  test('a prerelease fits the range of its release', () => {
    const early = service('auth', { version: '1.1.0-rc.1' })
    expect(found(with_(early, service('pay', { needs: [early.range('^1.0.0')] })))).toBe('\n\n')
  })

  test('needs in a circle, with the path: only a hand-made model can say so', () => {
    const a = service('a')
    const b = service('b', { needs: [a] })
    const c = service('c', { needs: [b] })
    const again = service('a', { needs: [c] })
    expect(found(with_(again, b, c))).toMatchInlineSnapshot(`
      "
      error[component-cycle] at component a: components need each other in a circle: a → c → b → a
        help: One of these needs has to go: which of them can start without the other?
      "
    `)
  })

  test('groups that are none, or before what is needed', () => {
    expect(found(with_(service('x', { group: 0 }), service('y', { group: 1.5 })))).toMatchInlineSnapshot(`
      "
      error[not-a-group] at component x: the group of x is 0; groups count from 1
        help: Leave it out, and it follows from the needs.
      error[not-a-group] at component y: the group of y is 1.5; groups count from 1
        help: Leave it out, and it follows from the needs.
      "
    `)
    const late = service('late', { group: 4 })
    expect(found(with_(late, service('early', { group: 2, needs: [late] })))).toMatchInlineSnapshot(`
      "
      error[group-before-need] at component early: early is pinned to group 2, but needs something of group 4
        help: Pin it to 4 or later, or leave the group out.
      "
    `)
  })

  test('critical, and needs what is not', () => {
    expect(found(with_(auth, service('pay', { critical: true, needs: [auth] })))).toMatchInlineSnapshot(`
      "
      warning[critical-needs-uncritical] at component pay: pay is critical but needs auth, which is not: should that fail, pay is skipped and the release still ends as done in part
        help: Make auth critical too, if pay must not be left behind.
      "
    `)
  })

  test('a number of instances that is none, or for an environment that is not reached', () => {
    const many = service('many', { instances: { staging: 0, prodcution: 3 } })
    const made_ = release('r', { version: '1.0.0', components: [many] })
    expect(found(made_.stage('s', s => s.deploy([many], { to: staging })))).toMatchInlineSnapshot(`
      "
      error[not-a-count] at component many: many is to have 0 instances in staging
        help: Instances are a whole number from 1.
      warning[unknown-environment] at component many: many says how many instances it has in "prodcution", where this release deploys nothing
        help: It deploys to staging.
      "
    `)
    expect(found(made_.stage('s', s => s.gate('g', () => true)))).toContain('It deploys nothing at all.')
  })

  test('a start command that needs a shell, or names no program', () => {
    const start = (line: string | readonly string[]) => {
      const one = service('one', { start: line })
      return release('r', { version: '1.0.0', components: [one] }).stage('s', s =>
        s.deploy([one], { to: staging }),
      )
    }
    expect(found(start('npm start && echo done'))).toMatchInlineSnapshot(`
      "
      error[not-a-command] at component one: "npm start && echo done": "&&" runs a second command, which needs a shell
        help: Commands run without a shell. Do it in a step (await $\`…\`) or in a script of package.json; quote it to mean the character itself.
      "
    `)
    expect(found(start([]))).toContain('error[not-a-command]')
    expect(found(start(['node', 'server.js']))).toBe('\n\n')
  })

  test('a health check in words that are no duration', () => {
    const ill = service('ill', { health: any({ timeout: 'soon', interval: '-1s' }) })
    const one = release('r', { version: '1.0.0', components: [ill] })
    // Once, although it is deployed twice.
    const twice = one
      .stage('s', s => s.deploy([ill], { to: staging }))
      .stage('t', s => s.deploy([ill], { to: staging }))
    expect(found(twice)).toMatchInlineSnapshot(`
      "
      error[not-a-duration] at component ill: the health timeout of ill is "soon", which is no duration
        help: Write a number and a unit: ms, s, m, h or d, as in '90s' or '3d'.
      error[not-a-duration] at component ill: the health interval of ill is "-1s", which is no duration
        help: Write a number and a unit: ms, s, m, h or d, as in '90s' or '3d'.
      "
    `)
  })
})

describe('deployments', () => {
  test('of what the release does not hold', () => {
    expect(found(made().stage('s', s => s.deploy(any([pay]), { to: staging })))).toMatchInlineSnapshot(`
      "
      error[component-not-held] at deploy: pay is deployed, but the release does not hold it
        help: Add pay to the release's components.
        see component pay: pay is defined here
      "
    `)
  })

  test('twice in one stage', () => {
    const twice = made().stage('s', s => s.deploy([auth], { to: staging }).deploy([auth], { to: staging }))
    expect(found(twice)).toMatchInlineSnapshot(`
      "
      error[deployed-twice] at deploy: auth is deployed to staging twice in one stage
        help: Take it out of one of the deployments, or move one to a stage of its own.
      "
    `)
    expect(found(made().stage('s', s => s.deploy([auth, auth], { to: staging })))).toBe('\n\n')
  })

  test.each<[unknown]>([['2'], ['120%'], ['-5%'], [-1], [1.5], ['a few'], ['%'], [Number.NaN]])(
    'no share: %j',
    batch => {
      const wrong = made().stage('s', s =>
        s.deploy([auth], { to: staging, with: rolling({ batch: any(batch) }) }),
      )
      expect(found(wrong)).toContain('error[not-a-share] at deploy: batch is')
    },
  )

  test('shares and deadlines that are none', () => {
    const wrong = made().stage('s', s =>
      s.deploy([auth], {
        to: staging,
        with: rolling({ batch: any('2'), maxUnavailable: any('all'), progressDeadline: any('10 min') }),
      }),
    )
    expect(found(wrong)).toMatchInlineSnapshot(`
      "
      error[not-a-duration] at deploy: the progress deadline is "10 min", which is no duration
        help: Write a number and a unit: ms, s, m, h or d, as in '90s' or '3d'.
      error[not-a-share] at deploy: batch is "2"
        help: Write a whole number of instances, or a share of them as in '25%'.
      error[not-a-share] at deploy: maxUnavailable is "all"
        help: Write a whole number of instances, or a share of them as in '25%'.
      "
    `)
  })

  test('to a protected environment, with nothing before', () => {
    const bare = made().stage('s', s => s.deploy([auth], { to: production }))
    expect(found(bare)).toMatchInlineSnapshot(`
      "
      error[unguarded-environment] at deploy: production is protected, and auth reaches it in the stage "s" without any gate or approval before
        help: Put a required gate or an approval before the deployment.
      "
    `)
    const warned = made().stage('s', s =>
      s.gate('g', () => true, { required: false }).deploy([auth], { to: production }),
    )
    expect(found(warned)).toContain('error[unguarded-environment]')
    const beside = made()
      .stage('g', s => s.gate('g', () => true))
      .stage('s', { after: [] }, s => s.deploy([auth], { to: production }))
    expect(found(beside)).toContain('error[unguarded-environment]')
    const guarded = made()
      .stage('g', s => s.gate('g', () => true))
      .stage('m', s => s.step('x', () => {}, step))
      .stage('s', s => s.deploy([auth], { to: production }))
    expect(found(guarded)).toBe('\n\n')
  })
})

describe('gates', () => {
  test('a command that only a shell could run', () => {
    expect(found(gate('npm test | tee log'))).toMatchInlineSnapshot(`
      "
      error[not-a-command] at gate g: "npm test | tee log": "|" pipes into a second command, which needs a shell
        help: Commands run without a shell. Do it in a step (await $\`…\`) or in a script of package.json; quote it to mean the character itself.
      "
    `)
    expect(found(gate('   '))).toMatchInlineSnapshot(`
      "
      error[not-a-command] at gate g: "   ": the command is empty
        help: Write a command, as in "npm test".
      "
    `)
    expect(found(gate([any('')]))).toMatchInlineSnapshot(`
      "
      error[not-a-command] at gate g: [""]: it names no program
        help: Write the program first: ['npm', 'test'].
      "
    `)
  })

  test.each([-1, 101, Number.NaN])('no percentage: %d', percent => {
    const wrong = made().stage('s', s => s.gate('g', coverage('npm test').atLeast(percent)))
    expect(found(wrong)).toBe(`
error[not-a-percentage] at gate g: the gate "g" asks for at least ${percent} %
  help: A percentage is from 0 to 100.
`)
  })

  test('a time limit and a retry that are none', () => {
    const wrong = made().stage('s', s =>
      s.gate('g', () => true, { timeout: any('2 h'), retry: { limit: -1, delay: any('1') } }),
    )
    expect(found(wrong)).toMatchInlineSnapshot(`
      "
      error[not-a-duration] at gate g: the time limit of "g" is "2 h", which is no duration
        help: Write a number and a unit: ms, s, m, h or d, as in '90s' or '3d'.
      error[not-a-retry] at gate g: retry -1: a number of further attempts is a whole number from 0
        help: Write retry: 2, for three attempts in all.
      error[not-a-duration] at gate g: the retry's delay is "1", which is no duration
        help: Write a number and a unit: ms, s, m, h or d, as in '90s' or '3d'.
      "
    `)
  })

  const asks = (check: ReturnType<ReturnType<typeof http>['answers']>) =>
    made()
      .stage('s', s => s.deploy([auth], { to: staging }))
      .stage('t', s => s.gate('g', check))

  test('a component that is not held, or never there', () => {
    expect(found(asks(http({ component: pay, in: staging, path: '/' }).answers()))).toMatchInlineSnapshot(`
      "
      error[component-not-held] at gate g: the gate "g" asks pay, but the release does not hold it
        help: Add pay to the release's components, or ask for an address.
        see no place: pay is defined here
      "
    `)
    expect(
      found(asks(http({ component: auth, in: production, path: '/' }).answers())),
    ).toMatchInlineSnapshot(`
      "
      warning[component-not-deployed] at gate g: the gate "g" asks auth in production, where this release never deploys it: it passes only if another has
        help: Deploy auth to production before, or ask where it is deployed.
      "
    `)
    expect(found(asks(http({ component: auth, in: staging, path: '/?a=b' }).answers()))).toBe('\n\n')
  })

  test('addresses, paths and statuses that are none', () => {
    const wrong = made().stage('s', s =>
      s
        .gate('1', http('techcorp.example/health').answers())
        .gate('2', http('http://').answers())
        .gate('3', http('https://techcorp.example').answers(99))
        .gate('4', http('http://127.0.0.1:8080/a b').answers(2.5)),
    )
    expect(found(wrong)).toMatchInlineSnapshot(`
      "
      error[not-an-address] at gate 1: the gate "1" asks "techcorp.example/health", which is no address
        help: Write it whole, as in 'https://techcorp.example/health'.
      error[not-an-address] at gate 2: the gate "2" asks "http://", which is no address
        help: Write it whole, as in 'https://techcorp.example/health'.
      error[not-a-status] at gate 3: the gate "3" asks for the status 99
        help: A status is a whole number from 100 to 599, as in answers(204).
      error[not-a-status] at gate 4: the gate "4" asks for the status 2.5
        help: A status is a whole number from 100 to 599, as in answers(204).
      error[not-an-address] at gate 4: the gate "4" asks "http://127.0.0.1:8080/a b", which is no address
        help: Write it whole, as in 'https://techcorp.example/health'.
      "
    `)
    expect(
      found(asks(http({ component: auth, in: staging, path: 'health' }).answers())),
    ).toMatchInlineSnapshot(`
      "
      error[not-a-path] at gate g: the gate "g" asks auth for "health"
        help: A path begins with a slash and holds no blanks, as in '/health'.
      "
    `)
  })
})

describe('steps', () => {
  test('that nothing undoes and nobody could observe', () => {
    expect(found(made().stage('s', s => s.step('x', () => {})))).toMatchInlineSnapshot(`
      "
      warning[step-without-undo] at step x: nothing undoes the step "x": a rollback leaves what it did
        help: Give it an \`undo\` function; or undo: 'not-needed' if nothing lasts, or undo: 'none' if nothing can.
      warning[step-not-resumable] at step x: should a crash cut the step "x" off, nobody could tell whether it was done: resume will stop and ask
        help: Give it \`observe\`, which returns its value where it is done already, or idempotent: true where a second run does no harm.
      "
    `)
  })

  test.each([
    { undo: 'none', idempotent: true },
    { undo: 'not-needed', observe: () => undefined },
    { undo: () => {}, idempotent: true },
  ] as const)('that say what they are: %o', options => {
    expect(found(made().stage('s', s => s.step('x', () => {}, any(options))))).toBe('\n\n')
  })

  test('a wait that is none', () => {
    expect(found(made().stage('s', s => s.wait(any('soon')).wait(any('10'))))).toMatchInlineSnapshot(`
      "
      error[not-a-duration] at wait: the wait is "soon", which is no duration
        help: Write a number and a unit: ms, s, m, h or d, as in '90s' or '3d'.
      error[not-a-duration] at wait: the wait is "10", which is no duration
        help: Write a number and a unit: ms, s, m, h or d, as in '90s' or '3d'.
      "
    `)
  })
})

describe('approvals', () => {
  const asks = (from: Record<string, number>, options: object = {}) =>
    made({ approvers: 'approvers', ...options }).stage('s', s => s.approval('go', { from: any(from) }))

  test('from nobody', () => {
    expect(found(asks({}), { approvers: people({}) })).toMatchInlineSnapshot(`
      "
      error[approval-from-nobody] at approval go: the approval "go" asks nobody
        help: Say how many people of each role: from: { 'release-manager': 1 }.
      "
    `)
    expect(found(asks({ boss: 0, chief: 1.5 }), { approvers: people({}) })).toMatchInlineSnapshot(`
      "
      error[approval-from-nobody] at approval go: the approval "go" asks 0 of boss, 1.5 of chief
        help: Say how many people of each role: from: { 'release-manager': 1 }.
      "
    `)
  })

  test('unsigned', () => {
    expect(found(asks({ boss: 1 }, { approvers: undefined }))).toMatchInlineSnapshot(`
      "
      warning[approval-unsigned] at approval go: the release has no approvers, so anybody can give the approval "go", and it is recorded as unsigned
        help: Name who may: approvers: 'approvers', an SSH allowed-signers file with roles.
      "
    `)
  })

  test('more than the approvers hold', () => {
    const approvers = people({ alice: ['boss'], bob: ['chief'] })
    expect(found(asks({ boss: 2, chief: 1 }), { approvers })).toMatchInlineSnapshot(`
      "
      error[approval-unattainable] at approval go: the approval "go" asks 2 of the role boss, and the approvers hold 1
        help: Give the role to more people: roles=boss at the end of their line in the approvers file.
      "
    `)
    expect(found(asks({ boss: 1, chief: 1 }), { approvers })).toBe('\n\n')
  })

  test('of several roles that the same people hold', () => {
    expect(
      found(asks({ boss: 1, chief: 1 }), { approvers: people({ alice: ['boss', 'chief'] }) }),
    ).toMatchInlineSnapshot(`
      "
      error[approval-unattainable] at approval go: the approval "go" asks 1 of the role boss and 1 of the role chief, and the same people hold these roles: one person counts once
        help: Give the role to more people: roles=chief at the end of their line in the approvers file.
      "
    `)
    const both = people({ alice: ['boss', 'chief'], bob: ['boss'] })
    expect(found(asks({ boss: 1, chief: 1 }), { approvers: both })).toBe('\n\n')
    const three = people({ alice: ['a', 'b'], bob: ['b', 'c'], carol: ['c', 'a'] })
    expect(found(asks({ a: 1, b: 1, c: 1 }), { approvers: three })).toBe('\n\n')
    expect(found(asks({ a: 2, b: 1, c: 1 }), { approvers: three })).toContain('one person counts once')
  })

  test('whose approvers could not be read are told once', () => {
    const unreadable = { code: 'approvers-unreadable', severity: 'error', message: 'gone' } as const
    expect(found(asks({ boss: 1 }), { approvers: 'unknown', diagnostics: [unreadable] })).toBe(
      '\nerror[approvers-unreadable] at no place: gone\n',
    )
  })

  test('an expiry that is none', () => {
    const odd = made().stage('s', s => s.approval('go', { from: { boss: 1 }, expires: any('tomorrow') }))
    expect(found(odd)).toContain('the expiry of the approval "go" is "tomorrow", which is no duration')
  })
})

test('everything at once, and no plan', () => {
  const wrong = release('r', {
    version: 'three',
    targetDate: 'soon',
    concurrency: 0,
    components: [pay],
    params: [param('size', { type: 'number' })],
  })
    .stage('a', s =>
      s
        .gate('g', command('a | b').passes())
        .step('g', () => {})
        .wait(any('long')),
    )
    .stage('b', { after: any(['z']) }, s =>
      s
        .deploy(any([auth]), { to: production })
        .deploy([pay], { to: production })
        .notify(webhook('http://127.0.0.1:1/')),
    )
  const { plan, diagnostics } = compileIt(wrong, { params: { pace: 'x' } })
  expect(plan).toBeNull()
  expect(diagnostics.map(({ code }) => code)).toMatchInlineSnapshot(`
    [
      "unknown-param",
      "param-missing",
      "not-a-version",
      "not-a-date",
      "not-a-count",
      "duplicate-name",
      "need-not-held",
      "unknown-stage",
      "not-a-command",
      "not-a-duration",
      "component-not-held",
      "step-without-undo",
      "step-not-resumable",
      "unguarded-environment",
    ]
  `)
})

test('a component whose folder could not be read does not hide the rest', () => {
  const both = made().stage('s', s => s.deploy([auth], { to: staging }).wait(any('long')))
  const resolved = resolveIt(both)
  const missing = { code: 'source-missing', severity: 'error', message: 'no folder' } as const
  const { plan, diagnostics } = compileRelease(resolved, {
    bundle: '',
    components: new Map(),
    live: {},
    approvers: null,
    diagnostics: [missing],
    sha256: pieces => [...pieces].join(''),
  })
  expect(plan).toBeNull()
  expect(diagnostics.map(({ code }) => code)).toEqual(['not-a-duration', 'source-missing'])
})
