/** What nodes printed, in files of which only few are open. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type NodeLogs, openNodeLogs } from '../../runner/node-logs.ts'

let root: string
let logs: NodeLogs
let shown: string[]
const logOf = (node: string): string => join(root, `${node}.log`)

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'node-logs-'))
  shown = []
  logs = openNodeLogs({ logOf }, (node, chunk) => shown.push(`${node}:${chunk}`))
})
afterEach(() => {
  logs.close()
  rmSync(root, { recursive: true })
})

/** Files of ours that this process has open. */
const openFiles = (): number =>
  readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(root)
    } catch {
      return false
    }
  }).length

test('each node has all that it printed, in order, though thousands print in turns', () => {
  const nodes = Array.from({ length: 2_000 }, (_, n) => `n${n}`)
  for (const round of [1, 2, 3]) for (const node of nodes) logs.of(node).line(`${node} ${round} é`)
  expect(openFiles()).toBeLessThanOrEqual(64)
  expect(openFiles()).toBeGreaterThan(0)
  for (const node of nodes)
    expect(readFileSync(logOf(node), 'utf8')).toBe(`${node} 1 é\n${node} 2 é\n${node} 3 é\n`)
  logs.close()
  expect(openFiles()).toBe(0)
})

test('a node that goes on printing keeps its file while others come and go', () => {
  for (let n = 0; n < 500; n += 1) {
    logs.of('long').chunk(`${n};`)
    logs.of(`other${n}`).line('x')
  }
  expect(readFileSync(logOf('long'), 'utf8').split(';')).toHaveLength(501)
  expect(openFiles()).toBeLessThanOrEqual(64)
})

test('what is there already is kept, also what an earlier runner wrote', () => {
  logs.of('n').line('before')
  logs.close()
  logs.of('n').line('after')
  expect(readFileSync(logOf('n'), 'utf8')).toBe('before\nafter\n')
})

test('a log that cannot be written is given up, and shown all the same', () => {
  mkdirSync(logOf('n'))
  logs.of('n').line('one')
  logs.of('n').line('two')
  logs.of('m').line('three')
  expect(shown).toEqual(['n:one\n', 'n:two\n', 'm:three\n'])
  expect(readFileSync(logOf('m'), 'utf8')).toBe('three\n')
})
