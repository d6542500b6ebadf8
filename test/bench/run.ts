/**
 * All measurements as one table: `npm run bench -- [--only NAME] [--quick] [--json] [--write]`.
 *
 * Runs every `*.bench.ts` beside it in turn, each in a process of its own. The table goes to stdout, progress to stderr;
 * `--write` puts the table into README.md, between the two lines that say so. `--quick` is to see that all of them work, and
 * writes nothing.
 *
 * Called with `--one FILE` it is that process: it prints one bench's rows as JSON.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, type as system, totalmem } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bench, type Row, toMarkdown } from './table.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    one: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})

if (values.quick && values.write)
  throw new Error('figures of --quick are not to be believed: leave one of the two out')

const SUFFIX = '.bench.ts'
const readme = resolve(import.meta.dirname, '../../README.md')
const BEGIN = '<!-- measurements: npm run bench -- --write -->'
const END = '<!-- end of the measurements -->'

async function runOne(file: string): Promise<void> {
  const { rows } = (await import(file)) as { rows: Bench }
  const found = await rows({
    quick: values.quick,
    progress: text => process.stderr.write(`  ${text}\n`),
  })
  process.stdout.write(JSON.stringify(found))
}

/** A bench in a process of its own: what one leaves in memory is not the next one's burden. */
async function rowsOf(file: string): Promise<readonly Row[]> {
  const args = [import.meta.filename, '--one', file, ...(values.quick ? ['--quick'] : [])]
  // Whole processes are started from the build, as users start them.
  const env = { ...process.env, RELEASE_BUILT: '1' }
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  const code = await new Promise<number | null>((done, failed) =>
    child.once('error', failed).once('close', done),
  )
  if (code !== 0) throw new Error(`${basename(file)} ended with ${code}`)
  return JSON.parse(printed) as readonly Row[]
}

function benches(): readonly string[] {
  const names = readdirSync(import.meta.dirname)
    .filter(name => name.endsWith(SUFFIX))
    .map(name => name.slice(0, -SUFFIX.length))
  const unknown = (values.only ?? []).filter(name => !names.includes(name))
  if (unknown.length > 0)
    throw new Error(`no bench is named ${unknown.join(', ')}: there are ${names.join(', ')}`)
  return (values.only ?? names).map(name => join(import.meta.dirname, `${name}${SUFFIX}`))
}

const machine = (): string => {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `Node ${process.version}, ${system()}, ${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${memory} GB of memory`
}

function write(table: string): void {
  const text = readFileSync(readme, 'utf8')
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (from < 0 || to < from) throw new Error(`README.md lacks the lines ${BEGIN} and ${END}`)
  const only = (values.only ?? []).map(name => ` --only ${name}`).join('')
  const command = `npm run bench${only === '' ? '' : ` --${only}`}`
  const said = `${BEGIN}\n\nMeasured by \`${command}\` on ${machine()}. Only the ratios hold on another machine.\n\n<details>\n<summary>All figures</summary>\n\n${table}\n\n</details>\n\n`
  writeFileSync(readme, text.slice(0, from) + said + text.slice(to))
}

async function runAll(): Promise<void> {
  const rows: Row[] = []
  const failed: string[] = []
  for (const file of benches()) {
    process.stderr.write(`${basename(file, SUFFIX)}\n`)
    // One that fails does not take the others' figures with it; it is said, and the exit code says it too.
    await rowsOf(file).then(
      found => rows.push(...found),
      (error: Error) => failed.push(error.message),
    )
  }
  const table = toMarkdown(rows)
  process.stdout.write(values.json ? `${JSON.stringify(rows, null, 2)}\n` : `${machine()}\n\n${table}\n`)
  if (failed.length > 0) throw new Error(failed.join('; '))
  if (values.write) write(table)
}

await (values.one === undefined ? runAll() : runOne(values.one))
