/** Random command lines for the commands that only look: an answer or a refusal, never a crash and no other exit code. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { COMMANDS } from '../../runner/cli/commands.ts'
import { historyFolder, reviveHistory } from '../histories/open.ts'
import { answerHere } from '../rig/here.ts'
import type { TestProject } from '../rig/project.ts'
import { fuzz } from './fuzz.ts'
import { type Dice, NASTY } from './mutate.ts'

let project: TestProject
let run: string
beforeAll(() => {
  ;({ project, run } = reviveHistory(historyFolder(1, 'rolled-back')))
})
afterAll(() => project.dispose())

/** What changes nothing, and ends by itself. */
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

const words = (roll: Dice): string =>
  roll.pick([
    () => roll.pick(NASTY),
    () => run,
    () => run.slice(0, roll.number(run.length)),
    () => 'latest',
    () => 'build/image',
    () => 'no-such.ts',
    () => roll.pick(['md', 'json', 'text', 'dot', 'html']),
    () =>
      roll.pick([
        '--json',
        '--help',
        '-h',
        '--',
        '-',
        '---',
        '--no-color',
        '--format',
        '--state',
        '--param',
        '--no-help',
      ]),
    () =>
      `--${roll.pick(['format', 'param', 'against', 'state', 'json', 'xyz', '__proto__', 'constructor'])}=${roll.pick(NASTY)}`,
  ])()

/** Nothing may be written where a file is named by chance. */
const harmless = (argv: readonly string[]): boolean => !argv.some(arg => arg.startsWith('--out'))

test('random arguments', async () => {
  const outcomes = await fuzz({ seeds: 900 }, async roll => {
    const command = roll.number(12) === 0 ? words(roll) : roll.pick(LOOKING)
    if (Object.hasOwn(COMMANDS, command) && !LOOKING.includes(command)) return 'not asked'
    const argv = [command, ...Array.from({ length: roll.number(4) }, () => words(roll))].filter(Boolean)
    if (!harmless(argv)) return 'not asked'
    const { code, stdout, stderr } = await answerHere(project.root, argv)
    const line = JSON.stringify(argv)
    expect([0, 2, 4], `${line}: ${stderr}`).toContain(code)
    expect(stderr, line).not.toMatch(/\n {4}at |TypeError|RangeError|ERR_/)
    if (code !== 0) expect(stderr, line).toMatch(/^error\[[a-z0-9-]+\]|error\[/)
    if (argv.includes('--json') && stdout !== '' && !['help', 'logs'].includes(command)) {
      if (!argv.includes('--help') && !argv.includes('-h') && command !== '--version') JSON.parse(stdout)
    }
    return `exit ${code}`
  })
  expect(outcomes['exit 0']).toBeGreaterThan(50)
  expect(outcomes['exit 2']).toBeGreaterThan(50)
})
