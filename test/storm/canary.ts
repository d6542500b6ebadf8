/**
 * Canary releases, and everything that can be killed in the middle of one killed at every moment there is.
 *
 *     node test/storm/canary.ts [--router gateway|haproxy] [--kind KIND] [--only TEXT] [--each N --seed N]
 *
 * Without `--each` the whole matrix: some five hundred releases, six seconds each on a quiet machine, the two routers side by side.
 * Exit 0 where every run ended whole and no request was lost that need not be; 1 otherwise, with the cases.
 */
import { parseArgs } from 'node:util'
import { openArena } from '../rig/chaos.ts'
import { type ChaosCase, nameOf, type RouterName } from '../rig/chaos-case.ts'
import { matrixOf, sampleOf } from '../rig/chaos-matrix.ts'
import { haproxyMissing } from '../rig/haproxy.ts'
import { prometheusMissing } from '../rig/prometheus.ts'

const { values } = parseArgs({
  options: {
    router: { type: 'string' },
    kind: { type: 'string' },
    only: { type: 'string' },
    each: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
})

function casesOn(router: RouterName): readonly ChaosCase[] {
  const { kind, only = '', each, seed } = values
  const drawn = each === undefined ? null : sampleOf(router, { seed: Number(seed), each: Number(each) })
  const all = Object.entries(matrixOf(router)).flatMap(([name, cases]) =>
    kind === undefined || kind === name ? cases : [],
  )
  const isPossible = ({ victim }: ChaosCase): boolean => victim !== 'prometheus' || unscraped === null
  return (drawn ?? all).filter(kase => isPossible(kase) && nameOf(kase).includes(only))
}

const failed: string[] = []
let played = 0

async function playAll(router: RouterName): Promise<void> {
  const cases = casesOn(router)
  let arena = await openArena(router)
  for (const kase of cases) {
    const began = performance.now()
    const told = await arena.play(kase).catch((error: Error) => ({ error }))
    played += 1
    const amiss = 'error' in told ? [told.error.message] : told.amiss
    const end =
      'error' in told
        ? ''
        : ` ${told.killed === 0 ? 'missed its moment, ' : ''}${told.outcome}, ${told.lost} of ${told.calls} lost`
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    console.log(`${amiss.length === 0 ? 'whole' : 'AMISS'} ${seconds} s${end} | ${nameOf(kase)}`)
    if (amiss.length === 0) continue
    failed.push(nameOf(kase))
    console.log(amiss.map(line => `    ${line.replaceAll('\n', '\n    ')}`).join('\n'))
    // What is amiss in one must not be the next one's.
    await arena.dispose().catch((error: Error) => console.log(`    ${error.message}`))
    arena = await openArena(router)
  }
  await arena.dispose()
}

const unscraped = prometheusMissing()
if (unscraped !== null) console.log(`prometheus is not killed: ${unscraped}`)
const missing = await haproxyMissing()
if (missing !== null) console.log(`haproxy is left out: ${missing}`)
const routers = (['gateway', 'haproxy'] as const).filter(
  name => (values.router ?? name) === name && (name === 'gateway' || missing === null),
)
await Promise.all(routers.map(playAll))
console.log(`${played} releases, ${failed.length} amiss${failed.map(name => `\n  ${name}`).join('')}`)
process.exitCode = failed.length === 0 ? 0 : 1
