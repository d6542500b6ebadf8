import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { splitCommandLine } from '../../src/compile/command-line.ts'

const nasty = [
  'npm test -- --coverage',
  '  npm\ttest  ',
  `echo 'a b' "c d" e\\ f`,
  `echo '' "" x''y`,
  `echo 'it'\\''s' "it's" "say \\"hi\\""`,
  `echo "back\\\\slash" 'back\\slash' "\\n" \\n`,
  `echo "new\nline" 'new\nline'`,
  'echo a\\\nb',
  `echo 'ünïcode 🚀' 🚀\\🚀`,
  `echo -- -n --flag=v\\*l '$HOME' '\`id\`' "\\$HOME"`,
  `echo a#b a~b x=y {} a{b}c ! %`,
  `echo '*' "?" \\[ ";" '&&' "|"`,
  'echo "a\\\nb"',
]

describe('a command line', () => {
  it.each(nasty)('splits %j as a shell does', line => {
    const split = splitCommandLine(line)
    if ('error' in split) throw new Error(split.error)
    const print = `printf '%s\\0' ${line.trim().replace(/^\S+/, '')}`
    const shell = execFileSync('/bin/sh', ['-c', print]).toString().split('\0').slice(0, -1)
    expect(split.argv.slice(1)).toEqual(shell)
  })

  it.each<[string, number, string]>([
    ['', 0, 'the command is empty'],
    [' \n ', 0, 'the command is empty'],
    ['a | b', 2, '"|" pipes into a second command, which needs a shell'],
    ['a|b', 1, '"|" pipes into a second command, which needs a shell'],
    ['a && b', 2, '"&&" runs a second command, which needs a shell'],
    ['a || b', 2, '"||" runs a second command, which needs a shell'],
    ['a; b', 1, '";" runs a second command, which needs a shell'],
    ['a\nb', 1, '"\\n" runs a second command, which needs a shell'],
    ['a &', 2, '"&" runs in the background, which needs a shell'],
    ['a > f', 2, '">" redirects output, which needs a shell'],
    ['a 2>&1', 3, '">" redirects output, which needs a shell'],
    ['a >> f', 2, '">>" redirects output, which needs a shell'],
    ['a < f', 2, '"<" redirects input, which needs a shell'],
    ['a <<EOF', 2, '"<<" feeds text in, which needs a shell'],
    ['echo $HOME', 5, '"$HOME" puts in a variable, which needs a shell'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's variable, not ours
    ['echo "v${V}"', 7, '"${V}" puts in a variable, which needs a shell'],
    ['echo $(id)', 5, '"$(" puts in the output of a command, which needs a shell'],
    ['echo "`id`"', 6, '"`" puts in the output of a command, which needs a shell'],
    ['ls *.js', 3, '"*" matches file names, which needs a shell'],
    ['ls a?', 4, '"?" matches file names, which needs a shell'],
    ['ls [ab]', 3, '"[" matches file names, which needs a shell'],
    ['ls ~/x', 3, '"~" stands for a home folder, which needs a shell'],
    ['ls {a,b}', 3, '"{" lists alternatives, which needs a shell'],
    ['ls {1..3}', 3, '"{" lists alternatives, which needs a shell'],
    ['(a)', 0, '"(" opens a subshell, which needs a shell'],
    ['a # b', 2, '"#" begins a comment, which needs a shell'],
    ['CI=1 npm test', 0, '"CI=" sets a variable for the command, which needs a shell'],
    ['a "b', 2, 'the quote " is not closed'],
    ["a 'b", 2, "the quote ' is not closed"],
    ['a \\', 2, 'the line ends in a lone backslash'],
    ['a \0', 2, 'the command holds a NUL character, which no argument can'],
    ["a 'x\0'", 4, 'the command holds a NUL character, which no argument can'],
  ])('refuses %j at %i', (line, offset, error) => {
    const split = splitCommandLine(line)
    expect(split).toMatchObject({ error, offset })
    expect('hint' in split && split.hint.length).toBeGreaterThan(5)
  })

  it('says what to use instead', () => {
    expect(splitCommandLine('npm test | tee log')).toMatchInlineSnapshot(`
      {
        "error": ""|" pipes into a second command, which needs a shell",
        "hint": "Commands run without a shell. Do it in a step (await $\`…\`) or in a script of package.json; quote it to mean the character itself.",
        "offset": 9,
      }
    `)
  })
})
