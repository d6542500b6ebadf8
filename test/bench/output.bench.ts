/**
 * How much memory a run takes whose command prints a lot: `node test/bench/output.bench.ts [--quick]`.
 *
 * A gate prints so many megabytes of lines, through the real command line, with all of it shown as lines, as JSON lines
 * or on a terminal, and kept in the node's log. What is measured is the most memory that the runner ever had resident,
 * as the kernel counts it (VmHWM); the command's own does not count.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Bench, median, type Row, toMarkdown } from './table.ts'

const cli = resolve(import.meta.dirname, '../../runner/release.ts')
const MEGABYTE = 1_000_000

const definition = (megabytes: number): string => `import { command, release } from 'release-as-code'
export default release('output', { version: '1.0.0' })
  .stage('print', s => s
    .gate('lines', command(['sh', '-c', 'yes "a line of output that is about as long as lines of output usually are" | head -c ${megabytes * MEGABYTE}']).passes()))
`

interface Way {
  readonly name: string
  /** Of a terminal there is one to be had only through script(1), whose child the runner is. */
  readonly argv: (run: readonly string[]) => readonly [string, ...string[]]
}

const WAYS: readonly Way[] = [
  { name: 'as lines', argv: run => [process.execPath, ...run] },
  { name: 'as JSON lines', argv: run => [process.execPath, ...run, '--json'] },
  {
    name: 'on a terminal',
    argv: run => [
      'script',
      '-qec',
      [process.execPath, ...run].map(part => `'${part}'`).join(' '),
      '/dev/null',
    ],
  },
]

interface Peak {
  /** Megabytes. */
  readonly resident: number
  readonly seconds: number
}

async function printing(way: Way, megabytes: number): Promise<Peak> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'output-bench-')))
  try {
    writeFileSync(join(root, 'package.json'), '{ "name": "output", "type": "module" }\n')
    writeFileSync(join(root, 'release.config.ts'), definition(megabytes))
    const [program, ...args] = way.argv([cli, 'run'])
    const began = performance.now()
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    // Whoever reads it keeps up, and keeps nothing.
    child.stdout.resume()
    child.stderr.resume()
    const end = once(child, 'close')
    let over = false
    void end.then(() => {
      over = true
    })
    let resident = 0
    while (!over) {
      resident = Math.max(resident, peakOf(child.pid!))
      await pause(20)
    }
    const [code] = (await end) as [number | null]
    if (code !== 0) throw new Error(`printing ${megabytes} MB ${way.name} ended with ${code}`)
    const logged = statSync(globSync(join(root, '.release/runs/*/logs/*.log'))[0]!).size
    if (logged < megabytes * MEGABYTE) throw new Error(`of ${megabytes} MB ${logged} bytes were kept`)
    return { resident, seconds: (performance.now() - began) / 1000 }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** The most that the runner ever had resident, in megabytes: of this process, or of its child if that runs the runner. */
function peakOf(pid: number): number {
  const runner = [pid, ...childrenOf(pid)].find(one =>
    read(`/proc/${one}/cmdline`).startsWith(process.execPath),
  )
  const kibibytes = /VmHWM:\s+(\d+)/.exec(read(`/proc/${runner}/status`))?.[1]
  return kibibytes === undefined ? 0 : (Number(kibibytes) * 1024) / MEGABYTE
}

const childrenOf = (pid: number): readonly number[] =>
  read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

export const rows: Bench = async ({ quick, progress }) => {
  const sizes = quick ? [1, 10, 100] : [10, 100, 1_000]
  const turns = quick ? 1 : 3
  const found: Row[] = []
  for (const way of WAYS) {
    const peaks = new Map<number, Peak[]>(sizes.map(size => [size, []]))
    for (let turn = 1; turn <= turns; turn += 1) {
      for (const size of sizes) {
        progress(`output ${way.name}: ${size} MB, turn ${turn} of ${turns}`)
        peaks.get(size)!.push(await printing(way, size))
      }
    }
    found.push(...rowsOf(way, peaks))
  }
  return found
}

function rowsOf({ name }: Way, peaks: ReadonlyMap<number, readonly Peak[]>): readonly Row[] {
  const [smallest, ...larger] = [...peaks].map(([size, list]) => ({
    size,
    resident: median(list.map(peak => peak.resident)),
    rate: median(list.map(peak => size / peak.seconds)),
  }))
  if (smallest === undefined) return []
  const row = ({ size, resident }: typeof smallest): Row => ({
    area: 'output',
    name: `most memory of a runner whose command prints ${size} MB, ${name}`,
    value: resident,
    unit: 'MB',
    ...(size === smallest.size
      ? {}
      : {
          ratio: resident / smallest.resident,
          against: `${smallest.size} MB`,
          aim: 'flat: at most 1.3 of it',
        }),
  })
  const last = larger.at(-1) ?? smallest
  return [
    ...[smallest, ...larger].map(row),
    { area: 'output', name: `${last.size} MB ${name}, start-up included`, value: last.rate, unit: 'MB/s' },
  ]
}

if (import.meta.main) {
  const quick = process.argv.includes('--quick')
  const progress = (text: string): void => void process.stderr.write(`${text}\n`)
  console.log(toMarkdown(await rows({ quick, progress })))
}
