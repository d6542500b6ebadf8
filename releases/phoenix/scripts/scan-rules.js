/**
 * What the security scan looks for in a service's source.
 *
 * Comments are not code and are passed over. A rule that is wrong about a line is mended here, not silenced there.
 */
import { isBuiltin } from 'node:module'

/** What a service may import: its own files, and of Node what it needs to serve. */
const ALLOWED_MODULES = ['node:crypto', 'node:http']

/** Bits a character: English words lie near 3, keys above 4. */
const entropyOf = text => {
  const counts = new Map()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}

const isForeign = specifier =>
  isBuiltin(specifier) ? !ALLOWED_MODULES.includes(specifier) : !specifier.startsWith('./')

/** `{name, pattern, wrong?, message}`: each match of the pattern is a finding, where `wrong` agrees. */
export const rules = [
  {
    name: 'private-key',
    pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----/g,
    message: 'a private key lies in the source',
  },
  {
    name: 'cloud-key',
    pattern: /\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|xox[abp]-[\w-]{10,}|sk_live_\w{10,})/g,
    message: 'a key of a cloud service lies in the source',
  },
  {
    name: 'named-secret',
    pattern:
      /\b\w*(?:password|passwd|secret|token|api_?key|private_?key)\w*\s*[:=]\s*(['"`])([^'"`\s]{8,})\1/gi,
    message: 'a secret is written down: take it from the environment',
  },
  {
    name: 'likely-secret',
    pattern: /(['"`])([\w+/=-]{32,})\1/g,
    wrong: match => entropyOf(match[2]) > 4.2,
    message: 'a text that looks like a key lies in the source',
  },
  {
    name: 'code-from-text',
    pattern: /\beval\s*\(|\bnew\s+Function\s*\(|\bset(?:Timeout|Interval)\s*\(\s*['"`]/g,
    message: 'text is run as code',
  },
  {
    name: 'foreign-module',
    pattern: /\b(?:from|import|require)\s*\(?\s*(['"`])([^'"`]+)\1/g,
    wrong: match => isForeign(match[2]),
    message: `a service imports its own files and ${ALLOWED_MODULES.join(', ')} only`,
  },
  {
    name: 'computed-import',
    pattern: /\b(?:import|require)\s*\(\s*(?!['"`\s])/g,
    message: 'what is imported is decided while it runs',
  },
  {
    name: 'open-listener',
    pattern: /\.listen\s*\(([^\n]*)/g,
    wrong: match => !/,\s*HOST\b/.test(match[1]),
    message: 'a server listens on HOST, which says who can reach it',
  },
  {
    name: 'every-interface',
    pattern: /(['"`])(?:0\.0\.0\.0|::0?)\1/g,
    message: 'this address is every interface of the machine',
  },
  {
    name: 'fixed-address',
    pattern: /https?:\/\/(?!\$\{|127\.0\.0\.1|localhost)[\w.-]+/g,
    message: 'another service is asked through the gateway',
  },
  {
    name: 'unchecked-certificate',
    pattern: /rejectUnauthorized\s*:\s*false|NODE_TLS_REJECT_UNAUTHORIZED/g,
    message: 'certificates are not checked',
  },
]

/** Blanks comments and keeps every other character in its place. Texts are kept: a `//` in one is no comment. */
const withoutComments = source =>
  source.replace(/(['"`])(?:\\.|(?!\1)[^\\])*\1|\/\*[\s\S]*?\*\/|(?<![:\\/\w])\/\/[^\n]*/g, (text, quote) =>
    quote ? text : text.replace(/[^\n]/g, ' '),
  )

/** What is wrong with a source: `{rule, line, column, message}`, in order of place. */
export const scanSource = source => {
  const code = withoutComments(source)
  const findings = []
  for (const { name, pattern, wrong = () => true, message } of rules)
    for (const match of code.matchAll(pattern)) {
      if (!wrong(match)) continue
      const before = code.slice(0, match.index).split('\n')
      findings.push({ rule: name, line: before.length, column: before.at(-1).length + 1, message })
    }
  return findings.sort((a, b) => a.line - b.line || a.column - b.column)
}
