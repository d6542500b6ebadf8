/** That what a definition asks for can be found again in its file. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { callSite } from '../../../src/definition/call-site.ts'

// Run by Node itself, which keeps the lines of the file; a test runner's transform does not promise to.
const fixture = fileURLToPath(new URL('../../fixtures/call-sites.ts', import.meta.url))
const found = JSON.parse(execFileSync(process.execPath, [fixture], { encoding: 'utf8' })) as Record<
  string,
  { readonly stack: string }
>
const lines = readFileSync(fixture, 'utf8').split('\n')

for (const [word, { stack }] of Object.entries(found)) {
  test(`${word}: the first frame is the line that asked`, () => {
    const first = stack.split('\n').find(line => line.trim().startsWith('at '))
    expect(first).toContain('call-sites.ts')
    const line = Number(/:(\d+):\d+\)?$/.exec(first ?? '')?.[1])
    expect(lines[line - 1]).toMatch(new RegExp(`// ${word}$`))
  })

  test(`${word}: few frames are kept`, () => {
    expect(stack.split('\n').filter(line => line.trim().startsWith('at ')).length).toBeLessThanOrEqual(4)
  })
}

/** Through a function of the language: called by the line that asks. */
const asked = () => callSite(asked)

test('calls of one line are told apart, and share their text', () => {
  const [one, other] = [1, 2].map(() => asked())
  expect(one).not.toBe(other)
  expect(one!.stack).toBe(other!.stack)
  expect(asked().stack).not.toBe(one!.stack)
})

test('two calls in one line have a place each', () => {
  const [one, other] = [asked(), asked()]
  expect(one.stack).not.toBe(other.stack)
})

test('what was called by no line of a script is called by the line before', () => {
  const at = [asked].map(ask => [1].map(ask))[0]![0]!
  expect(at.stack).toContain('call-sites.test.ts')
})

test('how stacks are taken and written is nobody else’s matter', () => {
  const { prepareStackTrace, stackTraceLimit } = Error
  const ours = () => 'ours'
  try {
    Error.prepareStackTrace = ours
    Error.stackTraceLimit = 7
    expect(asked().stack).toContain('call-sites.test.ts')
    expect([Error.prepareStackTrace, Error.stackTraceLimit]).toEqual([ours, 7])
    Error.stackTraceLimit = 0
    expect(asked()).toEqual({ stack: '' })
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit })
  }
})
