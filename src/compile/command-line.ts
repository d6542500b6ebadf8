/**
 * A command line, split into arguments the way a POSIX shell would, without being one.
 *
 * Boundary: pure text. Nothing is expanded; what only a shell could do is refused and named, because an
 * argument that silently stays `$VERSION` or `*.js` is worse than an error.
 *
 *  CL1. The arguments are those that `sh` would pass for the same line, or there is an error.
 *  CL2. `offset` is the UTF-16 position of the character that is refused.
 */

export type SplitCommandLine =
  | { readonly argv: readonly string[] }
  | { readonly error: string; readonly offset: number; readonly hint: string }

type Refusal = Extract<SplitCommandLine, { error: string }>

/** Splits a command line into arguments: blanks separate, quotes and backslashes keep together. */
export function splitCommandLine(line: string): SplitCommandLine {
  const argv: string[] = []
  let at = skipBlanks(line, 0)
  while (at < line.length) {
    const word = readWord(line, at, argv.length === 0)
    if ('error' in word) return word
    argv.push(word.text)
    at = skipBlanks(line, word.end)
  }
  if (argv.length > 0) return { argv }
  return refuse(0, 'the command is empty', 'Write a command, as in "npm test".')
}

interface Piece {
  readonly text: string
  /** Position after it. */
  readonly end: number
}

function readWord(line: string, start: number, first: boolean): Piece | Refusal {
  const before = first ? assignment(line, start) : null
  if (before !== null) return before
  let text = ''
  let at = start
  while (at < line.length && !isBlank(line[at]!)) {
    const piece = readPiece(line, at, at === start)
    if ('error' in piece) return piece
    text += piece.text
    at = piece.end
  }
  return { text, end: at }
}

function readPiece(line: string, at: number, atStart: boolean): Piece | Refusal {
  const character = line[at]!
  switch (character) {
    case "'":
      return readSingleQuoted(line, at)
    case '"':
      return readDoubleQuoted(line, at)
    case '\\':
      return readEscaped(line, at)
    default:
      return shellOnly(line, at, atStart) ?? { text: character, end: at + 1 }
  }
}

function readSingleQuoted(line: string, open: number): Piece | Refusal {
  const close = line.indexOf("'", open + 1)
  if (close < 0) return unclosed(open, "'")
  const text = line.slice(open + 1, close)
  return text.includes('\0') ? nul(open + 1 + text.indexOf('\0')) : { text, end: close + 1 }
}

function readDoubleQuoted(line: string, open: number): Piece | Refusal {
  let text = ''
  let at = open + 1
  while (at < line.length) {
    const character = line[at]!
    if (character === '"') return { text, end: at + 1 }
    if (character === '\0') return nul(at)
    // Inside double quotes the shell still expands these two.
    if (character === '$' || character === '`') return expansion(line, at)
    if (character === '\\' && at + 1 < line.length && '"\\$`\n'.includes(line[at + 1]!)) {
      text += line[at + 1] === '\n' ? '' : line[at + 1]!
      at += 2
    } else {
      text += character
      at += 1
    }
  }
  return unclosed(open, '"')
}

function readEscaped(line: string, at: number): Piece | Refusal {
  if (at + 1 >= line.length) {
    return refuse(
      at,
      'the line ends in a lone backslash',
      'Write "\\\\" for a backslash, or put it in single quotes.',
    )
  }
  // A code point, not a code unit: half an emoji would be no argument.
  const character = String.fromCodePoint(line.codePointAt(at + 1)!)
  if (character === '\0') return nul(at + 1)
  return { text: character === '\n' ? '' : character, end: at + 1 + character.length }
}

function shellOnly(line: string, at: number, atStart: boolean): Refusal | null {
  const character = line[at]!
  if (character === '$' || character === '`') return expansion(line, at)
  if (character === '\0') return nul(at)
  if (character === '~' && atStart) {
    return needsShell(
      at,
      '~',
      'stands for a home folder',
      'Write the path out, or quote it to mean the character.',
    )
  }
  if (character === '#' && atStart) {
    return needsShell(
      at,
      '#',
      'begins a comment',
      'Leave the comment out, or quote it to mean the character.',
    )
  }
  if (character === '{' && /^\{[^\s{}]*(,|\.\.)[^\s{}]*\}/.test(line.slice(at))) {
    return needsShell(
      at,
      '{',
      'lists alternatives',
      'Write the arguments out, or quote it to mean the character.',
    )
  }
  const operator = operators.find(([text]) => line.startsWith(text, at))
  return operator === undefined ? null : needsShell(at, operator[0], operator[1], elsewhere)
}

const elsewhere =
  'Commands run without a shell. Do it in a step (await $`…`) or in a script of package.json; quote it to mean the character itself.'

/** Longest first. */
const operators: readonly (readonly [string, string])[] = [
  ['&&', 'runs a second command'],
  ['||', 'runs a second command'],
  ['<<', 'feeds text in'],
  ['>>', 'redirects output'],
  [';', 'runs a second command'],
  ['\n', 'runs a second command'],
  ['|', 'pipes into a second command'],
  ['&', 'runs in the background'],
  ['>', 'redirects output'],
  ['<', 'redirects input'],
  ['(', 'opens a subshell'],
  [')', 'closes a subshell'],
  ['*', 'matches file names'],
  ['?', 'matches file names'],
  ['[', 'matches file names'],
]

function expansion(line: string, at: number): Refusal {
  const written = /^(`|\$(\(\(?|\{[^}]*\}?|\w+|.)?)/.exec(line.slice(at))![0]
  const does =
    written === '`' || written.startsWith('$(') ? 'puts in the output of a command' : 'puts in a variable'
  return needsShell(
    at,
    written,
    does,
    'Commands run without a shell. Use a param and build the command in TypeScript, or do it in a step (await $`…`) or a script; single quotes mean the character itself.',
  )
}

function assignment(line: string, at: number): Refusal | null {
  const found = /^[A-Za-z_]\w*=/.exec(line.slice(at))
  return found === null
    ? null
    : needsShell(
        at,
        found[0],
        'sets a variable for the command',
        'Commands run without a shell. Use "env NAME=value command …", or a script of package.json.',
      )
}

const needsShell = (offset: number, what: string, does: string, hint: string): Refusal =>
  refuse(offset, `${JSON.stringify(what)} ${does}, which needs a shell`, hint)

const unclosed = (offset: number, quote: string): Refusal =>
  refuse(
    offset,
    `the quote ${quote} is not closed`,
    `Add the closing ${quote}, or put a backslash before it.`,
  )

const nul = (offset: number): Refusal =>
  refuse(offset, 'the command holds a NUL character, which no argument can', 'Remove it.')

const refuse = (offset: number, error: string, hint: string): Refusal => ({ error, offset, hint })

const isBlank = (character: string): boolean => character === ' ' || character === '\t'

function skipBlanks(line: string, from: number): number {
  let at = from
  // A line break at either end is a habit of template literals, and means nothing there.
  while (at < line.length && (isBlank(line[at]!) || (line[at] === '\n' && isEdge(line, at)))) at += 1
  return at
}

const isEdge = (line: string, at: number): boolean =>
  line.slice(0, at).trim() === '' || line.slice(at).trim() === ''
