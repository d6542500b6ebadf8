import { describe, expect, it } from 'vitest'
import { type CoverageMetric, coverageSummary, isEnough, readCoverage } from '../../src/run/coverage.ts'

const read = (text: string, metric: CoverageMetric = 'lines'): string => {
  const figure = readCoverage(text, metric)
  return figure.ok ? `${figure.format} ${figure.percent}` : figure.reason
}

const summary = (lines: unknown, more: object = {}) => JSON.stringify({ total: { lines, ...more } })
const counts = (covered: unknown, total: unknown) => ({ total, covered, skipped: 0, pct: 100 })
const lcov = (...records: string[]) =>
  records.map(record => `TN:\nSF:src/a.ts\n${record}\nend_of_record\n`).join('')
const cobertura = (attributes: string) =>
  `<?xml version="1.0" ?>\n<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">\n<coverage ${attributes}>\n<packages/></coverage>\n`

describe('a figure', () => {
  it.each<[string, string, CoverageMetric, string]>([
    ['istanbul', summary(counts(914, 1000)), 'lines', 'istanbul 91.4'],
    ['istanbul branches', summary({}, { branches: counts(1, 4) }), 'branches', 'istanbul 25'],
    ['istanbul functions', summary({}, { functions: counts(4, 4) }), 'functions', 'istanbul 100'],
    ['istanbul statements', summary({}, { statements: counts(0, 4) }), 'statements', 'istanbul 0'],
    ['istanbul with a byte order mark', `\uFEFF${summary(counts(1, 2))}`, 'lines', 'istanbul 50'],
    ['lcov', lcov('DA:1,1\nLF:8\nLH:6'), 'lines', 'lcov 75'],
    ['lcov of several files', lcov('LF:8\nLH:8', 'LF:2\nLH:0'), 'lines', 'lcov 80'],
    ['lcov with CRLF', lcov('LF:8\nLH:6').replaceAll('\n', '\r\n'), 'lines', 'lcov 75'],
    ['lcov without sums', lcov('DA:1,5\nDA:2,0\nDA:3,1,abc\nDA:4,2'), 'lines', 'lcov 75'],
    ['lcov branches', lcov('BRF:4\nBRH:1'), 'branches', 'lcov 25'],
    [
      'lcov branches without sums',
      lcov('BRDA:1,0,0,1\nBRDA:1,0,1,-\nBRDA:2,0,0,0\nBRDA:2,0,1,7'),
      'branches',
      'lcov 50',
    ],
    ['lcov functions', lcov('FN:1,a\nFNDA:3,a\nFNF:2\nFNH:1'), 'functions', 'lcov 50'],
    ['cobertura', cobertura('line-rate="0.5" branch-rate="0.25"'), 'lines', 'cobertura 50'],
    ['cobertura branches', cobertura('line-rate="0.5" branch-rate="0.25"'), 'branches', 'cobertura 25'],
    [
      'cobertura that counts',
      cobertura('lines-valid="1000" lines-covered="914" line-rate="0.92"'),
      'lines',
      'cobertura 91.4',
    ],
    ['cobertura in single quotes', cobertura("line-rate='1'"), 'lines', 'cobertura 100'],
    [
      'cobertura after a comment',
      cobertura('line-rate="0.5"').replace('<coverage', '<!-- <coverage line-rate="1"> --><coverage'),
      'lines',
      'cobertura 50',
    ],
  ])('from %s', (_, text, metric, expected) => expect(read(text, metric)).toBe(expected))

  it.each<[string, string, CoverageMetric, string]>([
    ['nothing', ' \n', 'lines', 'is empty'],
    [
      'a page',
      'All files | 91.4',
      'lines',
      'is neither a JSON summary of istanbul or c8, nor lcov, nor cobertura XML',
    ],
    ['cut JSON', summary(counts(1, 2)).slice(0, -3), 'lines', 'is no valid JSON: it may have been cut off'],
    ['other JSON', '{"lines": 99}', 'lines', 'has no "total"'],
    [
      'the detailed report',
      JSON.stringify({ '/a.ts': { path: '/a.ts', statementMap: {} } }),
      'lines',
      'is the detailed report of istanbul; the gate reads the summary (reporter json-summary)',
    ],
    ['a metric that is not there', summary(counts(1, 1)), 'branches', 'does not tell branches'],
    [
      '"Unknown"',
      summary({ total: 0, covered: 0, skipped: 0, pct: 'Unknown' }),
      'lines',
      'counts no lines at all: nothing was measured',
    ],
    ['more than all', summary(counts(5, 4)), 'lines', 'contradicts itself: 5 of 4 lines are covered'],
    ['texts for numbers', summary(counts('5', '4')), 'lines', 'does not count lines as whole numbers'],
    ['negative numbers', summary(counts(-5, -4)), 'lines', 'does not count lines as whole numbers'],
    ['parts of lines', summary(counts(0.5, 1)), 'lines', 'does not count lines as whole numbers'],
    ['cut lcov', lcov('LF:8\nLH:6').slice(0, -16), 'lines', 'is cut off: lcov ends in "end_of_record"'],
    ['damaged lcov', lcov('LF:8\nLH:x'), 'lines', 'has a damaged line on lines'],
    ['damaged lcov lines', lcov('DA:8,x'), 'lines', 'has a damaged line on lines'],
    ['lcov without files', 'TN:\nend_of_record\n', 'lines', 'counts no lines at all: nothing was measured'],
    ['lcov statements', lcov('LF:8\nLH:6'), 'statements', 'is lcov, which does not tell statements'],
    [
      'lcov without branches',
      lcov('LF:8\nLH:6'),
      'branches',
      'counts no branches at all: nothing was measured',
    ],
    [
      'cobertura functions',
      cobertura('line-rate="1"'),
      'functions',
      'is cobertura, which does not tell functions',
    ],
    [
      'cut cobertura',
      cobertura('line-rate="1"').slice(0, -15),
      'lines',
      'is cut off: </coverage> is missing',
    ],
    ['other XML', '<testsuites></testsuites>', 'lines', 'is XML without a <coverage> element'],
    ['cobertura without a rate', cobertura('version="1"'), 'lines', 'does not tell lines'],
    ['cobertura with a mad rate', cobertura('line-rate="17"'), 'lines', 'does not tell lines'],
    ['cobertura with an empty rate', cobertura('line-rate=""'), 'lines', 'does not tell lines'],
    ['cobertura with NaN', cobertura('line-rate="NaN"'), 'lines', 'does not tell lines'],
    [
      'cobertura without lines',
      cobertura('lines-valid="0" lines-covered="0" line-rate="1"'),
      'lines',
      'counts no lines at all: nothing was measured',
    ],
  ])('not from %s', (_, text, metric, expected) => expect(read(text, metric)).toBe(expected))
})

describe('the verdict', () => {
  it.each<[number, number, boolean, string]>([
    [91.4, 90, true, '91.4 % of lines, at least 90 asked'],
    [90, 90, true, '90 % of lines, at least 90 asked'],
    [89.99999, 90, false, '89.9 % of lines, at least 90 asked'],
    [100, 100, true, '100 % of lines, at least 100 asked'],
    [(999999 / 1000000) * 100, 100, false, '99.9 % of lines, at least 100 asked'],
    [0.58 * 100, 58, true, '58 % of lines, at least 58 asked'],
    [(29 / 50) * 100, 58, true, '58 % of lines, at least 58 asked'],
    [89.956, 89.95, true, '89.95 % of lines, at least 89.95 asked'],
    [89.949, 89.95, false, '89.94 % of lines, at least 89.95 asked'],
    [0, 0, true, '0 % of lines, at least 0 asked'],
    [10, 90, false, '10 % of lines, at least 90 asked'],
  ])('%d of at least %d', (percent, atLeast, enough, text) => {
    expect(isEnough(percent, atLeast)).toBe(enough)
    expect(coverageSummary(percent, 'lines', atLeast)).toBe(text)
  })
})
