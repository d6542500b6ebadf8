import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { renderDiagnostics } from '../../runner/load/code-frame.ts'
import type { Diagnostic, Span } from '../../src/diagnostic.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'frame-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function render(
  source: string,
  span: Omit<Span, 'file'>,
  more: Partial<Diagnostic> = {},
  color = false,
): string {
  writeFileSync(join(root, 'it.ts'), source)
  const diagnostic: Diagnostic = {
    code: 'wrong',
    severity: 'error',
    message: 'this is wrong',
    span: { file: 'it.ts', ...span },
    ...more,
  }
  return renderDiagnostics([diagnostic], { root, color })
}

test('a word is underlined where no end is known', () => {
  expect(render('const a = 1\nrelease(naïve_$1)\n', { line: 2, column: 9 })).toMatchInlineSnapshot(`
    "error[wrong]: this is wrong
     --> it.ts:2:9
      |
    2 | release(naïve_$1)
      |         ^^^^^^^^"
  `)
})

test('tabs, wide letters and marks keep the underline in its place', () => {
  expect(
    render('\tconst 名前 = e\u0301 + x\n', { line: 1, column: 15, endLine: 1, endColumn: 16 }),
  ).toMatchInlineSnapshot(`
    "error[wrong]: this is wrong
     --> it.ts:1:15
      |
    1 |   const 名前 = é + x
      |                 ^"
  `)
})

test('a range of many lines shows its beginning', () => {
  const source = Array.from({ length: 12 }, (_, index) => `  line(${index + 1})`).join('\n')
  expect(render(source, { line: 8, column: 3, endLine: 12, endColumn: 5 })).toMatchInlineSnapshot(`
    "error[wrong]: this is wrong
      --> it.ts:8:3
       |
     8 |   line(8)
       |   ^^^^^^^
     9 |   line(9)
       |   ^^^^^^^
    10 |   line(10)
       |   ^^^^^^^^
    11 |   line(11)
       |   ^^^^^^^^
       | …"
  `)
})

test('a long line is cut around the place', () => {
  const text = render(`${'a + '.repeat(200)}b + ${'c + '.repeat(200)}d`, { line: 1, column: 801 })
  const [, , , line = '', marks = ''] = text.split('\n')
  expect(line.length).toBeLessThan(160)
  expect(line[marks.indexOf('^')]).toBe('b')
})

test('hint, notes and a message of several lines', () => {
  const more = {
    severity: 'warning',
    message: 'first\n  second',
    hint: 'do\nthis',
    related: [
      { message: 'seen here', span: { file: 'other.ts', line: 3, column: 4 } },
      { message: 'and so' },
    ],
  } as const
  expect(render('x\n', { line: 1, column: 1 }, more)).toMatchInlineSnapshot(`
    "warning[wrong]: first
        second
     --> it.ts:1:1
      |
    1 | x
      | ^
      = hint: do
        this
      = note: seen here (other.ts:3:4)
      = note: and so"
  `)
})

test('a source that is gone, or shorter, costs only the frame', () => {
  expect(render('x\n', { line: 9, column: 1 })).toMatchInlineSnapshot(`
    "error[wrong]: this is wrong
     --> it.ts:9:1"
  `)
  expect(
    renderDiagnostics(
      [
        { code: 'a', severity: 'error', message: 'm', span: { file: 'gone.ts', line: 1, column: 2 } },
        { code: 'b', severity: 'error', message: 'n' },
      ],
      { root, color: false },
    ),
  ).toMatchInlineSnapshot(`
    "error[a]: m
     --> gone.ts:1:2

    error[b]: n"
  `)
})

test('nothing in a source or a message steers the terminal', () => {
  const text = render('x\u001B[2J\u0007y\n', { line: 1, column: 1 }, { message: 'm\u001B]0;t\u0007\u202En' })
  expect(text).not.toMatch(/(?!\n)\p{Cc}|\u202E/u)
})

test('colour adds nothing but colour', () => {
  const span = { line: 1, column: 1 }
  const coloured = render('x\n', span, { hint: 'h' }, true)
  expect(coloured).toContain('\u001B[31m')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken out.
  expect(coloured.replace(/\u001B\[\d+m/g, '')).toBe(render('x\n', span, { hint: 'h' }))
})
