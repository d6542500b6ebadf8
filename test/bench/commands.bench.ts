/**
 * What a command costs beside its own work.
 *
 * Runs the same graph of commands that do nothing in several ways, each as a whole process and all in turns: COUNT
 * commands in layers of 20, each waiting for three of the layer before, 8 at a time. What counts is the share of plain
 * `spawn('sh', ['-c', …])` from Node with a semaphore. The processor time is the steadier figure where others work
 * beside; it is that of the process and all that it started, also of what outlives it.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { needsOf } from './commands-row.ts'
import { type Bench, type BenchContext, median, type Row, ratioOf } from './table.ts'

/** One way of running the graph. */
interface Way {
  readonly name: string
  /** Makes what it needs in `root` and returns the program with its arguments. */
  readonly program: (count: number, root: string) => readonly [string, ...string[]]
  readonly env?: Readonly<Record<string, string>>
}

interface Cost {
  readonly wall: number
  readonly processor: number
}

/** What would take longer than this for one turn is left out, and said. In milliseconds. */
const patience = 120_000

const tooLong = `more than ${patience / 1000} s`

const base = 'spawn from Node'

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n)

const name = (number: number): string => `c${number}`

const written = (root: string, file: string, text: string): string => {
  const path = join(root, file)
  writeFileSync(path, text)
  return path
}

const inNode =
  (own: string, row: string): Way['program'] =>
  (count, root) => [process.execPath, own, row, String(count), root]

const ownWays = (own: string): readonly Way[] => [
  { name: base, program: inNode(own, 'sh') },
  { name: 'a run of ours, journal and all', program: inNode(own, 'engine') },
  { name: 'our commands without a run', program: inNode(own, 'adapter') },
  { name: 'our commands, all started directly', program: inNode(own, 'direct') },
  { name: 'zx by hand', program: inNode(own, 'zx') },
]

const make: Way = {
  name: 'make',
  program: (count, root) => {
    const rules = numbers(count).map(n => `${name(n)}: ${needsOf(n).map(name).join(' ')}\n\t@true\n`)
    const all = `all: ${numbers(count).map(name).join(' ')}\n`
    return ['make', '-s', '-j8', '-f', written(root, 'Makefile', [all, ...rules].join('')), 'all']
  },
}

const ninja: Way = {
  name: 'ninja',
  program: (count, root) => {
    const builds = numbers(count).map(n => `build ${name(n)}: r ${needsOf(n).map(name).join(' ')}\n`)
    const file = written(root, 'build.ninja', ['rule r\n  command = true\n', ...builds].join(''))
    return ['ninja', '-C', root, '--quiet', '-j8', '-f', file]
  },
}

const wireit = (tools: string): Way => ({
  name: 'wireit',
  env: { WIREIT_PARALLEL: '8', WIREIT_CACHE: 'none', WIREIT_LOGGER: 'quiet' },
  program: (count, root) => {
    const all = { dependencies: numbers(count).map(name) }
    const each = numbers(count).map(n => [name(n), { command: 'true', dependencies: needsOf(n).map(name) }])
    const scripts = Object.fromEntries(['all', ...numbers(count).map(name)].map(key => [key, 'wireit']))
    const wireit = { all, ...Object.fromEntries(each) }
    written(root, 'package.json', JSON.stringify({ name: 'bench', private: true, scripts, wireit }))
    const bin = join(tools, 'node_modules/.bin')
    return ['env', `PATH=${bin}:${process.env.PATH}`, 'npm', '--prefix', root, 'run', '--silent', 'all']
  },
})

const nx = (tools: string): Way => ({
  name: 'nx run-commands',
  env: { NX_DAEMON: 'false', NX_SKIP_NX_CACHE: 'true', NX_TUI: 'false', NX_NO_CLOUD: 'true' },
  program: (count, root) => {
    const target = (n: number) => ({
      executor: 'nx:run-commands',
      cache: false,
      dependsOn: needsOf(n).map(name),
      options: { command: 'true' },
    })
    const all = { executor: 'nx:noop', dependsOn: numbers(count).map(name) }
    const targets = { all, ...Object.fromEntries(numbers(count).map(n => [name(n), target(n)])) }
    written(root, 'nx.json', '{}')
    written(root, 'package.json', '{"name":"root","private":true}')
    mkdirSync(join(root, 'bench'))
    written(root, 'bench/project.json', JSON.stringify({ name: 'bench', root: 'bench', targets }))
    execFileSync('ln', ['-s', join(tools, 'node_modules'), join(root, 'node_modules')])
    return [
      'env',
      '-C',
      root,
      join(root, 'node_modules/.bin/nx'),
      'run',
      'bench:all',
      '--parallel=8',
      '--outputStyle=static',
    ]
  },
})

/** Says of a way why it has no figures. */
type Absent = (name: string, why: string) => void

interface PeersOptions {
  readonly quick: boolean
  readonly absent: Absent
}

const isThere = (program: string): boolean => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The peers that are here, or can be fetched into `tools`; of others `absent` hears why. */
function peersIn(tools: string, { quick, absent }: PeersOptions): readonly Way[] {
  const here = [make, ninja].filter(way => {
    const there = isThere(way.name)
    if (!there) absent(way.name, 'is not installed here')
    return there
  })
  if (quick) return here
  const fetched = (
    [
      ['wireit', wireit],
      ['nx', nx],
    ] as const
  ).flatMap(([name, way]) => {
    try {
      const folder = join(tools, name)
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'package.json'), '{"private":true}')
      execFileSync('npm', ['install', '--no-audit', '--no-fund', name], {
        cwd: folder,
        stdio: 'ignore',
        timeout: 180_000,
      })
      return [way(folder)]
    } catch {
      absent(name, 'could not be installed from npm')
      return []
    }
  })
  return [...here, ...fetched]
}

/**
 * Whoever outlives the process that started it comes to this one (PR_SET_CHILD_SUBREAPER), which waits for it: else
 * its processor time would be nobody's.
 */
const reaper = `syscall(${process.arch === 'arm64' ? 167 : 157}, 36, 1, 0, 0, 0); my $s = system { $ARGV[0] } @ARGV; 1 while wait > 0; exit($s >> 8 || $s)`

/** Processor time of all children that have ended, with theirs, in milliseconds; the kernel counts it in steps of 10. */
function processorOfChildren(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) * 10
}

/** null: it took too long. */
async function measure(way: Way, count: number): Promise<Cost | null> {
  const root = mkdtempSync(join(tmpdir(), 'commands-bench-'))
  try {
    const [program, ...args] = way.program(count, root)
    const processor = processorOfChildren()
    const from = performance.now()
    const said = openSync(join(root, 'said'), 'w')
    const child = spawn('perl', ['-e', reaper, program, ...args], {
      stdio: ['ignore', said, said],
      env: { ...process.env, ...way.env },
      detached: true,
    })
    closeSync(said)
    let over = false
    const timer = setTimeout(() => {
      over = true
      process.kill(-child.pid!, 'SIGKILL')
    }, patience)
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('exit', resolve),
    )
    clearTimeout(timer)
    if (over) return null
    if (code !== 0)
      throw new Error(
        `${way.name} ended with ${code}: ${readFileSync(join(root, 'said'), 'utf8').slice(-2000)}`,
      )
    return { wall: performance.now() - from, processor: processorOfChildren() - processor }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** Turns in which every way has its turn; one that takes too long, or took a tenth of too long for a tenth, is left out. */
async function compare(
  count: number,
  turns: number,
  ways: readonly Way[],
  { progress, absent }: BenchContext & { readonly absent: Absent },
): Promise<ReadonlyMap<Way, readonly Cost[]>> {
  const costs = new Map<Way, Cost[]>(ways.map(way => [way, []]))
  for (let turn = 0; turn < turns; turn++) {
    for (const way of [...costs.keys()]) {
      progress(`${count} commands, turn ${turn + 1} of ${turns}: ${way.name}`)
      const cost = await measure(way, count)
      if (cost !== null) {
        costs.get(way)!.push(cost)
        continue
      }
      costs.delete(way)
      absent(way.name, tooLong)
    }
  }
  return costs
}

const areaOf = (count: number): string => `${count.toLocaleString('en-US')} commands that do nothing`

function rowsOf(count: number, costs: ReadonlyMap<Way, readonly Cost[]>): readonly Row[] {
  const spawned = [...costs].find(([way]) => way.name === base)?.[1] ?? []
  const rows = [...costs].map(([way, list]) =>
    (['wall', 'processor'] as const).map(of => {
      const figures = list.map(cost => cost[of])
      return {
        area: areaOf(count),
        name: `${way.name}, ${of === 'wall' ? 'on the clock' : 'processor time'}`,
        value: median(figures),
        unit: 'ms',
        ratio: ratioOf(
          figures,
          spawned.map(cost => cost[of]),
        ),
        against: base,
        ...(way.name.startsWith('a run of ours') && of === 'wall' ? { aim: 'at most 1' } : {}),
      }
    }),
  )
  return [...rows.map(([wall]) => wall!), ...rows.map(([, processor]) => processor!)]
}

/** What took so long for a tenth of the commands would take too long. */
const quickEnough =
  (costs: ReadonlyMap<Way, readonly Cost[]>, absent: Absent) =>
  (way: Way): boolean => {
    const slowest = Math.max(0, ...(costs.get(way) ?? []).map(cost => cost.wall))
    const enough = costs.has(way) && slowest * 10 < patience
    if (!enough && costs.has(way)) absent(way.name, tooLong)
    return enough
  }

export const rows: Bench = async context => {
  const folder = mkdtempSync(join(import.meta.dirname, '../../node_modules/.commands-bench-'))
  try {
    const own = join(folder, 'row.js')
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
    const plan = context.quick
      ? [[100, 2] as const]
      : ([
          [100, 7],
          [1000, 5],
          [10_000, 3],
        ] as const)
    const found: Row[] = []
    const absentAt =
      (count: number): Absent =>
      (name, why) => {
        context.progress(`LEFT OUT: ${name}, ${count} commands: ${why}`)
        found.push({ area: areaOf(count), name, value: why, unit: '' })
      }
    const { quick } = context
    const peers = peersIn(join(folder, 'tools'), { quick, absent: absentAt(plan[0]![0]) })
    let ways = [...ownWays(own), ...peers]
    for (const [index, [count, turns]] of plan.entries()) {
      const costs = await compare(count, turns, ways, { ...context, absent: absentAt(count) })
      found.push(...rowsOf(count, costs))
      const next = plan[index + 1]
      if (next !== undefined) ways = ways.filter(quickEnough(costs, absentAt(next[0])))
    }
    return found
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
