/**
 * How long the command line takes before it has said anything: whole processes of the built bin on the phoenix
 * definition, in turns with an empty Node, and with one that does nothing but load the definition's bundle.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { bin, openWorkshop, runNode } from './process.ts'
import { type Bench, median, ratioOf } from './table.ts'

const releases = resolve(import.meta.dirname, '../../releases')
const definition = 'releases/phoenix.ts'

export const rows: Bench = async ({ quick, progress }) => {
  const shop = openWorkshop('startup')
  try {
    cpSync(releases, join(shop.root, 'releases'), { recursive: true })
    execFileSync(process.execPath, [join(shop.root, 'releases/phoenix/people.ts')], { stdio: 'ignore' })
    const start = { cwd: shop.root, env: shop.env }
    const state = join(shop.root, 'state')
    const plan = [bin, 'plan', definition, '--state']
    await runNode([...plan, state], start)
    const bundles = join(state, 'bundles')
    const bundle = join(bundles, readdirSync(bundles).find(name => name.endsWith('.js'))!)
    const folder = (turn: number): string => join(shop.root, `first-${turn}`)
    const commands = {
      empty: () => ['-e', '0'],
      bare: () => ['-e', `require(${JSON.stringify(bundle)})`],
      version: () => [bin, '--version'],
      check: () => [bin, 'check', definition, '--state', state],
      plan: () => [...plan, state],
      first: (turn: number) => [...plan, folder(turn)],
    } as const
    const took = Object.fromEntries(Object.keys(commands).map(name => [name, [] as number[]])) as Record<
      keyof typeof commands,
      number[]
    >
    // The first turns fill the caches that a second call finds.
    const turns = quick ? 3 : 15
    for (let turn = -2; turn < turns; turn += 1) {
      if (turn >= 0) progress(`turn ${turn + 1} of ${turns}`)
      mkdirSync(folder(turn), { recursive: true })
      for (const [name, command] of Object.entries(commands)) {
        const { wall } = await runNode(command(turn), start)
        if (turn >= 0) took[name as keyof typeof commands].push(wall)
      }
    }
    const against = 'an empty Node that loads the definition'
    const row = (name: string, values: readonly number[], aim?: string) => ({
      area: 'start-up',
      name,
      value: median(values),
      unit: 'ms',
      ratio: ratioOf(values, took.bare),
      against,
      ...(aim === undefined ? {} : { aim }),
    })
    return [
      { area: 'start-up', name: 'an empty Node', value: median(took.empty), unit: 'ms' },
      { area: 'start-up', name: against, value: median(took.bare), unit: 'ms' },
      row('release --version', took.version),
      row('release check, unchanged definition', took.check, 'at most 1.5'),
      row('release plan, unchanged definition', took.plan, 'at most 1.5'),
      row('release plan, the first: bundled and types checked', took.first, 'about 300 ms'),
    ]
  } finally {
    shop.dispose()
  }
}
