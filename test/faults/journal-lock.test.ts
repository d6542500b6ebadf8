/** Processes racing for one run: exactly one has it, also when the one before it has died. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { takeLock } from '../contract/embedded-rig.ts'

const ROUNDS = 50
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-lock-'))
})
afterAll(() => rm(folder, { recursive: true }))

interface Racer {
  ask(line: string): Promise<string | undefined>
  kill(): Promise<void>
}

async function racer(who: string): Promise<Racer> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'journal-lock.child.ts'), who], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  return {
    ask: async line => {
      child.stdin.write(`${line}\n`)
      return (await lines.next()).value
    },
    kill: async () => {
      child.kill('SIGKILL')
      await once(child, 'close')
    },
  }
}

it(`gives a run to exactly one of two processes, ${ROUNDS} times`, { timeout: 60_000 }, async () => {
  const racers = await Promise.all([racer('alice'), racer('bob')])
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const run = join(folder, `run-${round}`)
      await mkdir(run)
      // In every other round the run had a runner that is dead now.
      const fence = round % 2 === 0 ? 1 : 2
      const dead = fence === 2 ? await takeLock(run, 'the dead one') : null
      const answers = await Promise.all(racers.map(one => one.ask(run)))
      const winner = answers.findIndex(answer => answer?.startsWith('acquired'))
      expect(answers[winner]).toBe(`acquired ${fence}`)
      expect(answers[1 - winner]).toBe(`held ${['alice', 'bob'][winner]}`)
      await Promise.all(racers.map(one => one.ask('')))
      await dead?.release()
      const left = (await readdir(run)).toSorted()
      expect(left).toEqual(Array.from({ length: fence }, (_, n) => `lock.${n + 1}.json`))
    }
  } finally {
    await Promise.all(racers.map(one => one.kill()))
  }
})

it('gives a run on when its runner was killed, with a higher fence', { timeout: 60_000 }, async () => {
  const run = join(folder, 'killed')
  await mkdir(run)
  const [first, second] = await Promise.all([racer('alice'), racer('bob')])
  try {
    expect(await first.ask(run)).toBe('acquired 1')
    expect(await second.ask(run)).toBe('held alice')
    await first.kill()
    expect(await second.ask(run)).toBe('acquired 2')
  } finally {
    await second.kill()
  }
})
