import { expect, it } from 'vitest'
import { createOutput, tailLength } from '../../../runner/adapters/commands/output.ts'
import { createScrubber } from '../../../src/run/scrub.ts'

/** What is kept of these pieces. */
function tailOf(pieces: readonly string[]): string {
  const output = createOutput({ write: () => {}, scrubber: () => createScrubber(() => []) })
  for (const piece of pieces) output.stdout(Buffer.from(piece))
  output.end()
  return output.tail()
}

const repeated = (piece: (n: number) => string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => piece(n))

it.each<[string, string[]]>([
  ['nothing', []],
  ['a little', ['a', 'b\n']],
  ['exactly as much as is kept', ['x'.repeat(tailLength)]],
  ['one character more', ['a', 'x'.repeat(tailLength)]],
  ['one piece that is longer', [`a${'x'.repeat(3 * tailLength)}b`]],
  ['characters by themselves', repeated(n => String.fromCharCode(97 + (n % 26)), 2 * tailLength)],
  ['pieces of every size', repeated(n => `${n}${'.'.repeat((n * 769) % 9000)}`, 200)],
])('keeps the end of %s, to the character', (_, pieces) => {
  expect(tailOf(pieces)).toBe(pieces.join('').slice(-tailLength))
})

it('keeps no half of a character', () => {
  expect(tailOf(['🚀'.repeat(tailLength), 'x'])).toBe(`${'🚀'.repeat(tailLength / 2 - 1)}x`)
})
