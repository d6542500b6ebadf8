/**
 * `require` as a definition's bundle sees it.
 *
 * Importing any of node's modules is pure; calling what is impure in it is refused while the definition
 * is evaluated. Whatever the table does not know to be pure is impure.
 */
import { createRequire, isBuiltin } from 'node:module'
import { processRule } from './guard-process.ts'
import { guardExports, guardObject, type Rule } from './guard-values.ts'
import { type ImpurityKind, outsideEvaluation, refuseImpurity } from './purity.ts'

const PURE = new Set([
  'assert',
  'assert/strict',
  'async_hooks',
  'buffer',
  'constants',
  'diagnostics_channel',
  'events',
  'path',
  'path/posix',
  'path/win32',
  'punycode',
  'querystring',
  'stream',
  'stream/promises',
  'stream/web',
  'string_decoder',
  'url',
  'util',
  'util/types',
  'zlib',
])

const KINDS: Readonly<Record<string, ImpurityKind>> = {
  fs: 'disk',
  'fs/promises': 'disk',
  module: 'disk',
  sqlite: 'disk',
  dgram: 'network',
  dns: 'network',
  'dns/promises': 'network',
  http: 'network',
  http2: 'network',
  https: 'network',
  net: 'network',
  tls: 'network',
  perf_hooks: 'clock',
  timers: 'timer',
  'timers/promises': 'timer',
}

/** What is pure in a module that is not pure as a whole. */
const PURE_EXPORTS: Readonly<Record<string, ReadonlySet<string>>> = {
  module: new Set(['builtinModules', 'isBuiltin']),
  os: new Set(['EOL', 'constants', 'devNull']),
}

const RANDOM = /^(random|generate|getRandomValues|webcrypto|subtle)/

/**
 * A `require` for the code of a bundle.
 *
 * @param from the definition's file: what is not bundled, such as a computed name, is resolved from there
 */
export function guardedRequire(from: string): (name: string) => unknown {
  let real: NodeJS.Require | undefined
  return name => {
    if (isBuiltin(name)) return guardedModule(name.replace(/^node:/, ''))
    refuseImpurity('disk', `require(${JSON.stringify(name)})`)
    real ??= createRequire(from)
    return real(name)
  }
}

function guardedModule(name: string): unknown {
  const real = outsideEvaluation(() => process.getBuiltinModule(`node:${name}`) as object)
  if (PURE.has(name)) return real
  if (name === 'process') return guardObject(process, 'process', processRule)
  return guardExports(real, name, name === 'crypto' ? cryptoRule : moduleRule(name))
}

const cryptoRule: Rule = key => (RANDOM.test(key) ? { kind: 'randomness', what: `crypto.${key}` } : undefined)

const moduleRule =
  (name: string): Rule =>
  key =>
    PURE_EXPORTS[name]?.has(key) ? undefined : { kind: KINDS[name] ?? 'process', what: `${name}.${key}` }
