/**
 * What a command costs beside its own work: `node test/bench/commands.bench.ts [TURNS] [ROW …]`.
 *
 * Runs the same graph of commands that do nothing in several ways, each as a whole process and all in turns, and
 * prints the medians: the time on the clock, the processor time of the process with all its children, and both as a share of
 * plain `spawn('sh', ['-c', …])`, because only the shares hold on another machine. The processor time is the
 * steadier one where others work beside.
 */
import { spawn } from 'node:child_process'
import { closeSync, copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { needsOf } from './commands-row.ts'

const folder = mkdtempSync(join(import.meta.dirname, '../../node_modules/.commands-bench-'))
const own = join(folder, 'row.js')

interface Row {
  readonly name: string
  readonly program: (count: number, root: string) => readonly [string, ...string[]]
}

const makefile = (count: number): string =>
  numbers(count)
    .map(
      n =>
        `c${n}: ${needsOf(n)
          .map(need => `c${need}`)
          .join(' ')}\n\t@true\n`,
    )
    .reduce(
      (text, rule) => text + rule,
      `all: ${numbers(count)
        .map(n => `c${n}`)
        .join(' ')}\n`,
    )

const ninjafile = (count: number): string =>
  numbers(count)
    .map(
      n =>
        `build c${n}: r ${needsOf(n)
          .map(need => `c${need}`)
          .join(' ')}\n`,
    )
    .reduce((text, rule) => text + rule, 'rule r\n  command = true\n')

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n)

const inNode = (name: string): Row => ({
  name,
  program: (count, root) => [process.execPath, own, name, String(count), root],
})

const written = (root: string, name: string, text: string): string => {
  const path = join(root, name)
  writeFileSync(path, text)
  return path
}

const rows: readonly Row[] = [
  ...['sh', 'argv', 'zx', 'adapter', 'engine'].map(inNode),
  {
    name: 'make',
    program: (count, root) => ['make', '-s', '-j8', '-f', written(root, 'Makefile', makefile(count)), 'all'],
  },
  {
    name: 'ninja',
    program: (count, root) => [
      'ninja',
      '-C',
      root,
      '--quiet',
      '-j8',
      '-f',
      written(root, 'build.ninja', ninjafile(count)),
    ],
  },
]

interface Cost {
  readonly wall: number
  readonly processor: number
}

/** Processor time of all children that have ended, with theirs, in milliseconds; the kernel counts it in steps of 10. */
function processorOfChildren(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) * 10
}

async function measure(row: Row, count: number): Promise<Cost> {
  const root = mkdtempSync(join(tmpdir(), 'commands-bench-'))
  try {
    const [program, ...args] = row.program(count, root)
    const processor = processorOfChildren()
    const from = performance.now()
    const said = openSync(join(root, 'said'), 'w')
    const child = spawn(program, args, { stdio: ['ignore', said, said] })
    closeSync(said)
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('exit', resolve),
    )
    if (code !== 0)
      throw new Error(`${row.name} ended with ${code}: ${readFileSync(join(root, 'said'), 'utf8')}`)
    return { wall: performance.now() - from, processor: processorOfChildren() - processor }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!

async function compare(count: number, turns: number, wanted: readonly Row[]): Promise<void> {
  const costs = new Map<string, Cost[]>(wanted.map(row => [row.name, []]))
  for (let turn = 0; turn < turns; turn++) {
    for (const row of wanted) costs.get(row.name)!.push(await measure(row, count))
  }
  const base = costs.get('sh')!
  console.log(`\n${count} commands      ms   share  processor ms   share`)
  for (const [name, list] of costs) {
    const share = (of: keyof Cost): string =>
      median(list.map((cost, turn) => cost[of] / base[turn]![of])).toFixed(2)
    const figures = [
      median(list.map(cost => cost.wall))
        .toFixed(0)
        .padStart(6),
      share('wall').padStart(7),
      median(list.map(cost => cost.processor))
        .toFixed(0)
        .padStart(13),
      share('processor').padStart(7),
    ]
    console.log(name.padEnd(14), figures.join(' '))
  }
}

try {
  await build({
    entryPoints: [join(import.meta.dirname, 'commands-row.ts')],
    outfile: own,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    packages: 'external',
    logLevel: 'warning',
  })
  copyFileSync(
    join(import.meta.dirname, '../../runner/adapters/commands/fork-server.pl'),
    join(folder, 'fork-server.pl'),
  )
  const [turns = '5', ...names] = process.argv.slice(2)
  const wanted = rows.filter(({ name }) => names.length === 0 || name === 'sh' || names.includes(name))
  for (const count of [100, 1000]) await compare(count, Number(turns), wanted)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
