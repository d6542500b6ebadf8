/**
 * What of `process` a definition may use while it is evaluated: what is the same for as long as this
 * version of node runs, and nothing of what it was started with.
 */
import type { Rule } from './guard-values.ts'

const PURE = new Set([
  'arch',
  'config',
  'emitWarning',
  'features',
  'nextTick',
  'platform',
  'release',
  'version',
  'versions',
])
const CLOCK = new Set(['hrtime', 'uptime'])

export const processRule: Rule = key => {
  if (PURE.has(key) || key in Object.prototype) return undefined
  return { kind: CLOCK.has(key) ? 'clock' : 'process', what: `process.${key}` }
}
