/**
 * Random command lines: an answer or a refusal, never a crash and no other exit code.
 *
 * All in this process, and in a folder that is thrown away: what acts is asked for as often as what looks.
 */
import { beforeAll, expect, test, vi } from 'vitest'
import { COMMON, type Command } from '../../runner/cli/command.ts'
import { COMMANDS } from '../../runner/cli/commands.ts'
import { historyFolder, reviveHistory } from '../histories/open.ts'
import { answerHere } from '../rig/here.ts'
import { createProject, type TestProject } from '../rig/project.ts'
import { fuzz } from './fuzz.ts'
import { type Dice, NASTY } from './mutate.ts'

// Inputs by the thousand: what hangs is found by the limit of each.
vi.setConfig({ testTimeout: 300_000 })

const LOOKING = [
  'check',
  'plan',
  'status',
  'list',
  'logs',
  'report',
  'verify',
  'help',
  '--version',
  'nothing',
]

const ACTING = [
  'init',
  'simulate',
  'run',
  'resume',
  'watch',
  'approve',
  'reject',
  'cancel',
  'rollback',
  'local',
]

/** Some outcome; nothing that is said of a command's use is a defect. */
const CODES = { looking: [0, 2, 4], acting: [0, 1, 2, 3, 4] } as const

/** Nothing may be read or written outside the folder that is thrown away, and none by a name found by chance. */
const isHarmless = (argv: readonly string[]): boolean =>
  !argv.some(arg => arg.startsWith('--out') || /\.\.|(^|=)[/~]/.test(arg))

const NASTY_OPTIONS = ['--', '-', '---', '--no-help', '--xyz', '--__proto__', '--constructor=1']

/** One of the options that the command has, rightly written or not. */
function optionOf(command: Command | null, roll: Dice, value: () => string): string {
  const options = Object.entries({ ...COMMON, ...command?.options })
  const [name, option] = roll.pick(options)
  switch (roll.number(6)) {
    case 0:
      return roll.pick(NASTY_OPTIONS)
    case 1:
      return `--${name}`
    case 2:
      return `--${name}=${roll.pick(NASTY)}`
    default:
      return option.value === undefined ? `--${name}` : `--${name}=${value()}`
  }
}

interface Asked {
  readonly names: readonly string[]
  readonly words: readonly string[]
  /** Lines as one would write them. */
  readonly sound: readonly (readonly string[])[]
}

/** A line that may be asked: the first harmless one of those that the dice throw. */
function lineOf(roll: Dice, { names, words, sound }: Asked): readonly string[] {
  const word = (): string => {
    const one = roll.pick(words)
    return roll.pick([
      () => roll.pick(NASTY),
      () => one,
      () => one,
      () => one.slice(0, roll.number(one.length)),
    ])()
  }
  const more = (name: string): string =>
    roll.number(2) === 0 ? word() : optionOf(commands.get(name) ?? null, roll, word)
  const random = (): readonly string[] => {
    const name = roll.number(12) === 0 ? word() : roll.pick(names)
    return [name, ...Array.from({ length: roll.number(4) }, () => more(name))]
  }
  const almostSound = (): readonly string[] => {
    const line = roll.pick(sound)
    const at = 1 + roll.number(line.length)
    return roll.pick([
      () => line,
      () => line.toSpliced(at, 0, more(line[0]!)),
      () => line.toSpliced(at, 1, more(line[0]!)),
    ])()
  }
  for (;;) {
    const argv = (roll.number(2) === 0 ? almostSound() : random()).filter(Boolean)
    const [name = ''] = argv
    // It is asked for its words here, not for its thousands of cases.
    if (name === 'simulate' && !argv.some(arg => arg.startsWith('--most'))) argv.push('--most', '20')
    if (isHarmless(argv) && (names.includes(name) || !Object.hasOwn(COMMANDS, name))) return argv
  }
}

let commands: ReadonlyMap<string, Command>
beforeAll(async () => {
  const loaded = Object.entries(COMMANDS).map(async ([name, { load }]) => [name, await load()] as const)
  commands = new Map(await Promise.all(loaded))
})

/** A document, or nothing. */
function isJson(text: string): boolean {
  try {
    if (text !== '') JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Help, a version, and what a node printed are for people. */
const isProse = (argv: readonly string[]): boolean =>
  argv.some(arg => ['--help', '-h', 'help', '--version', 'logs'].includes(arg))

/** Says how it ended, having looked at what was said. */
async function ask(project: TestProject, argv: readonly string[], codes: readonly number[]): Promise<string> {
  const env = { RELEASE_LOCAL_HOME: project.home }
  const { code, stdout, stderr } = await answerHere(project.root, argv, env)
  const line = JSON.stringify(argv)
  expect(codes, `${line}: ${stderr}`).toContain(code)
  expect(stderr, line).not.toMatch(/\n {4}at |TypeError|RangeError|ERR_/)
  if (code === 2 || code === 4) expect(stderr, line).toMatch(/^error\[[a-z0-9-]+\]|error\[/)
  if (argv.includes('--json') && !isProse(argv))
    expect(isJson(stdout) || stdout.split('\n').every(isJson), `${line}: ${stdout}`).toBe(true)
  return `exit ${code}`
}

test('commands that look', async () => {
  const { project, run } = reviveHistory(historyFolder(1, 'rolled-back'))
  try {
    const words = [run, 'latest', 'build/image', 'no-such.ts', 'md', 'json', 'text', 'dot', 'html', 'status']
    const sound = [
      ['status', run],
      ['logs', run],
      ['report', run, '--format', 'json'],
      ['list', '--json'],
    ]
    const outcomes = await fuzz({ seeds: 1_200 }, roll =>
      ask(project, lineOf(roll, { names: LOOKING, words, sound }), CODES.looking),
    )
    expect(outcomes['exit 0']).toBeGreaterThan(50)
    expect(outcomes['exit 2']).toBeGreaterThan(50)
  } finally {
    await project.dispose()
  }
})

/** Waits for nobody, and has something to undo, to ask about and to fail. */
const definition = `
import { param, release } from 'release-as-code'
const fail = param('fail', { choices: ['no', 'yes'], default: 'no' })
export default release('fuzzed', { version: '1.2.3', params: [fail] })
  .stage('make', s => s
    .step('image', () => 'made', { idempotent: true, undo: () => {} }))
  .stage('go-live', s => s.approval('go', { from: { lead: 1 } }))
  .stage('publish', s => s
    .step('publish', ({ params }) => { if (params.fail === 'yes') throw new Error('asked to') }, { idempotent: true, undo: 'none' }))
`

const SOUND = [
  ['run', 'release.config.ts'],
  ['run', '--concurrency', '1'],
  ['run', '--param', 'fail=yes', '--json'],
  ['approve', 'latest', 'go', '--person', 'eve@techcorp.example'],
  ['approve', 'latest', 'go', '--as', 'lead', '--person', 'bob@techcorp.example'],
  ['resume', 'latest'],
  ['resume'],
  ['resume', 'latest', '--adopt'],
  ['rollback', 'latest'],
  ['rollback', 'latest', '--to', 'make/image'],
  ['rollback', 'latest', '--strategy', 'staged', '--through'],
  ['cancel', 'latest'],
  ['watch', 'latest', '--json'],
  ['reject', 'latest', 'go', '--person', 'bob@techcorp.example', '--reason', 'no'],
  ['simulate', '--most', '20'],
  ['local', 'stop'],
]

/** Lines that once were answered by a stack. */
const FOUND = [
  ['init', 'release.config.ts'],
  ['init', 'a\0b'],
  ['init', 'a'.repeat(5_000)],
  ['plan', 'a'.repeat(5_000)],
]

test('commands that act', async () => {
  const project = createProject({ files: { 'release.config.ts': definition } })
  try {
    for (const argv of FOUND) await ask(project, argv, CODES.acting)
    const words = [...new Set(SOUND.flat()), 'make/image', 'go-live', '1', 'status', 'immediate']
    const outcomes = await fuzz({ seeds: 300 }, roll =>
      ask(project, lineOf(roll, { names: ACTING, words, sound: SOUND }), CODES.acting),
    )
    expect(outcomes['exit 0']).toBeGreaterThan(10)
    expect(outcomes['exit 2']).toBeGreaterThan(50)
    expect(outcomes['exit 3']).toBeGreaterThan(0)
    expect(project.runs().length).toBeGreaterThan(10)
    const seen = (await Promise.all(project.runs().map(run => project.events(run)))).flat()
    const types = new Set(seen.map(({ type }) => type))
    for (const type of ['node-succeeded', 'run-finished']) expect(types).toContain(type)
  } finally {
    await project.dispose()
  }
})
