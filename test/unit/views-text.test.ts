import { describe, expect, test } from 'vitest'
import { createOutputTail } from '../../runner/views/output-tail.ts'
import {
  isDrawable,
  painterOf,
  plain,
  plainLines,
  truncate,
  wantsColor,
  widthOf,
} from '../../runner/views/terminal-text.ts'
import { renderDuration, renderElapsed, renderTime } from '../../runner/views/time-text.ts'

const red = painterOf({ color: true }).red

describe('width', () => {
  const check = (text: string, width: number) =>
    test(`${JSON.stringify(text)} is ${width} wide`, () => expect(widthOf(text)).toBe(width))
  check('', 0)
  check('auth-service', 12)
  check(red('red'), 3)
  check('✓ é', 3)
  check('e\u0301', 1)
  check('日本', 4)
  check('🚀', 2)
  check('👩‍👩‍👧', 2)
  check('🇩🇪', 2)
  check('\x1b]8;;https://example.org\x07link\x1b]8;;\x07', 4)
})

describe('truncate', () => {
  const check = (text: string, columns: number, expected: string) =>
    test(`${JSON.stringify(text)} in ${columns}`, () => expect(truncate(text, columns)).toBe(expected))
  check('auth', 4, 'auth')
  check('auth', 3, 'au…')
  check('auth', 1, '…')
  check('auth', 0, '')
  check('日本語', 5, '日本…')
  check('日本語', 4, '日…')
  check(red('auth'), 4, red('auth'))
  check(red('auth'), 3, '\x1b[31mau…\x1b[0m')
  check('a👩‍👩‍👧b', 2, 'a…')

  test('never is wider than asked, whatever the text', () => {
    const text = `${red('x日')}e\u0301🚀${red('👩‍👩‍👧 lange Zeile')}`
    for (let columns = 0; columns < 30; columns += 1) {
      expect(widthOf(truncate(text, columns))).toBeLessThanOrEqual(columns)
    }
  })
})

describe('foreign text', () => {
  const check = (text: string, expected: string) =>
    test(JSON.stringify(text), () => expect(plain(text)).toBe(expected))
  check('\x1b[31mred\x1b[0m', 'red')
  check('a\tb', 'a  b')
  check('\x1b[2J\x1b[1;1Hgone', 'gone')
  check('\x1b]0;title\x07text', 'text')
  check('\x1b]0;never ended', '')
  check('bell\x07 back\b \x9b31m', 'bell back 31m')
  check('right\u202eto left', 'rightto left')

  test('lines end where they were overwritten', () =>
    expect(plainLines('10 %\r50 %\r100 %\r\ndone\n')).toEqual(['100 %', 'done']))
})

describe('the end of what a node prints', () => {
  test('whole lines come out however the pieces are cut', () => {
    const tail = createOutputTail()
    expect(tail.write('li')).toEqual([])
    expect(tail.lines).toEqual(['li'])
    expect(tail.write('ne 1\nline 2\nbeg')).toEqual(['line 1', 'line 2'])
    expect(tail.lines).toEqual(['line 1', 'line 2', 'beg'])
    expect(tail.end()).toEqual(['beg'])
    expect(tail.end()).toEqual([])
  })

  test('keeps five lines, and cuts a line without an end', () => {
    const tail = createOutputTail()
    tail.write('1\n2\n3\n\n4\n5\n6\n')
    expect(tail.lines).toEqual(['2', '3', '4', '5', '6'])
    expect(tail.write('x'.repeat(20_000)).map(line => line.length)).toEqual([8192, 8192])
  })
})

describe('times', () => {
  const check = (millis: number, expected: string) =>
    test(`${millis} ms is ${expected}`, () => expect(renderDuration(millis)).toBe(expected))
  check(-5, '0 ms')
  check(340, '340 ms')
  check(1234, '1.2 s')
  check(9960, '10 s')
  check(34_400, '34 s')
  check(59_700, '1 min')
  check(200_000, '3 min 20 s')
  check(3_599_900, '1 h')
  check(7_500_000, '2 h 5 min')
  check(86_399_999, '1 d')
  check(273_600_000, '3 d 4 h')

  test('elapsed', () =>
    expect([0, 12_345, 999_940, 3_723_000].map(renderElapsed)).toEqual([
      '0.0s',
      '12.3s',
      '999.9s',
      '1:02:03',
    ]))
  test('time', () => expect(renderTime(1_710_489_600_000)).toBe('2024-03-15 08:00:00 UTC'))
})

describe('what a terminal gets', () => {
  const terminal = { isTTY: true }
  const check = (
    stream: { isTTY?: boolean },
    env: Record<string, string>,
    noColor: boolean,
    expected: { drawn: boolean; coloured: boolean },
  ) =>
    test(JSON.stringify([stream, env, noColor]), () =>
      expect({ drawn: isDrawable(stream, env), coloured: wantsColor(stream, env, { noColor }) }).toEqual(
        expected,
      ),
    )
  check(terminal, {}, false, { drawn: true, coloured: true })
  check(terminal, {}, true, { drawn: true, coloured: false })
  check(terminal, { NO_COLOR: '1' }, false, { drawn: true, coloured: false })
  check(terminal, { TERM: 'dumb' }, false, { drawn: false, coloured: false })
  check(terminal, { CI: 'true' }, false, { drawn: false, coloured: true })
  check({}, {}, false, { drawn: false, coloured: false })
})
