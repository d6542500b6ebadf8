/**
 * How a component's traffic is written in HAProxy's maps, and read back.
 *
 * `rules.map` has one line a component: everything that decides about a request, in one value, which HAProxy looks up
 * once for each request. A change makes everything else ready and then sets this one value: that is the step in which
 * it is applied. Names of headers and cookies cannot be looked up by HAProxy at run time; so that they need no reload,
 * `matches.map` and `sticky.map` hold regular expressions for the whole head of a request, each bound to a component
 * and the generation of its rule.
 *
 * Boundary: pure.
 */
import type { Side, Traffic, TrafficMatch } from '../../../../src/plan/plan.ts'
import { type Page, SIDES } from './files.ts'

/** Requests are drawn from so many numbers: a percentage is kept to four decimals. */
export const DRAWN = 1_000_000
const PER_PERCENT = DRAWN / 100

export interface Rule {
  readonly fence: number
  readonly page: Page
  /** Which entries of the other maps belong to it. */
  readonly generation: number
  readonly traffic: Traffic
}

const cut = (percent: number): number => Math.round(percent * PER_PERCENT)

/** The rule as one value: its fields are read by position in config.ts. */
export const writeRule = ({ fence, page, generation, traffic }: Rule): string =>
  [
    fence,
    page,
    generation,
    cut(traffic.canary),
    cut(traffic.canary + traffic.baseline),
    traffic.carried ? 1 : 0,
    traffic.match.length > 0 || traffic.sticky !== null ? 1 : 0,
    // Last, since it is the one that may hold anything.
    traffic.sticky ?? '',
  ].join('|')

/** Without its matches, which are in a map of their own. null: it is none of ours. */
export const readRule = (value: string): Rule | null => {
  const [fence, page, generation, canary, both, carried, , ...sticky] = value.split('|')
  if (sticky.length === 0 || (page !== 'a' && page !== 'b')) return null
  const name = sticky.join('|')
  return {
    fence: Number(fence),
    page,
    generation: Number(generation),
    traffic: {
      canary: Number(canary) / PER_PERCENT,
      baseline: (Number(both) - Number(canary)) / PER_PERCENT,
      match: [],
      sticky: name === '' ? null : name,
      mirror: 0,
      carried: carried === '1',
    },
  }
}

/** One line of a map. */
export interface Entry {
  readonly key: string
  readonly value: string
}

/** Every character by its number, except those that mean themselves everywhere. */
const literal = (text: string): string =>
  [...Buffer.from(text, 'latin1')]
    .map(byte => {
      const character = String.fromCharCode(byte)
      return /[A-Za-z0-9_]/.test(character) ? character : `\\x${byte.toString(16).padStart(2, '0')}`
    })
    .join('')

const head = (component: string, generation: number): string =>
  `^${literal(`${component}:${generation}`)}\\|(?:[^\\n]*\\n)*?`

const cookieNamed = (name: string): string =>
  `(?i:cookie):\\x20*(?:(?!\\x20*${literal(name)}=)[^\\x3b\\r\\n]*\\x3b\\x20*)*${literal(name)}=`

/** Begins every key of a component's generation. */
export const belongsTo = (entry: Entry, component: string, generation?: number): boolean =>
  generation === undefined
    ? entry.key.startsWith(`^${literal(`${component}:`)}`)
    : entry.key.startsWith(head(component, generation))

const matchKey = (component: string, generation: number, match: TrafficMatch): string => {
  const start = head(component, generation)
  return match.kind === 'header'
    ? `${start}(?i:${literal(match.name)}):\\x20*${literal(match.value)}\\x20*\\r\\n`
    : `${start}${cookieNamed(match.name)}"?${literal(match.value)}"?\\x20*[\\x3b\\r]`
}

/** Keys say what is looked for; values say it again for who reads it back. */
export const matchEntries = ({ component, rule }: { component: string; rule: Rule }): readonly Entry[] =>
  rule.traffic.match.map((match, index) => ({
    key: matchKey(component, rule.generation, match),
    value: `${index}:${encodeURIComponent(JSON.stringify(match))}`,
  }))

/** The matches of a rule that HAProxy really has: those whose key is the one for what the value says. */
export const readMatches = (
  entries: readonly Entry[],
  component: string,
  generation: number,
): readonly TrafficMatch[] =>
  entries
    .filter(entry => belongsTo(entry, component, generation))
    .map(({ key, value }) => {
      const colon = value.indexOf(':')
      const match = JSON.parse(decodeURIComponent(value.slice(colon + 1))) as TrafficMatch
      return { index: Number(value.slice(0, colon)), match, key }
    })
    .filter(({ key, match }) => key === matchKey(component, generation, match))
    .sort((a, b) => a.index - b.index)
    .map(({ match }) => match)

const shareOf = (traffic: Traffic, side: Side): number =>
  side === 'stable' ? 100 - traffic.canary - traffic.baseline : traffic[side]

/** What finds the side that a caller was given: only sides that still have a share are found. */
export const stickyEntries = ({ component, rule }: { component: string; rule: Rule }): readonly Entry[] => {
  const { sticky } = rule.traffic
  const sides = SIDES.filter(side => shareOf(rule.traffic, side) > 0)
  if (sticky === null || sides.length === 0) return []
  const key = `${head(component, rule.generation)}${cookieNamed(sticky)}"?(${sides.join('|')})"?\\x20*[\\x3b\\r]`
  return [{ key, value: '\\1' }]
}
