/** That what a definition asks for can be found again in its file. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

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
