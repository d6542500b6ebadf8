import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { encodeGroup, encodeHeader, START, scan } from '../../runner/journal/frame.ts'
import { createJournal, type Journal, openJournal } from '../../runner/journal/journal-file.ts'
import { follow, readJournal, verifyJournal } from '../../runner/journal/read.ts'
import type { RunEvent } from '../../src/run/events.ts'

// A busy machine is no failure: conditions are waited for, and only a hang runs into these.
vi.setConfig({ testTimeout: 60_000, expect: { poll: { timeout: 50_000, interval: 5 } } })

const skipped = (node: string, at = 1): RunEvent => ({ type: 'node-skipped', at, node, because: 'test' })
const nodes = (events: readonly RunEvent[]): string[] =>
  events.map(event => ('node' in event ? event.node : event.type))
const guard = (): void => {}
let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-read-'))
  path = join(folder, 'journal.jsonl')
  await createJournal(path, 'phoenix-1')
})
afterEach(() => rm(folder, { recursive: true }))

const opened = async (): Promise<Journal> => (await openJournal(path, { guard })).journal

async function recorded(...groups: readonly (readonly string[])[]): Promise<void> {
  const journal = await opened()
  for (const group of groups) await journal.append({ events: group.map(node => skipped(node)) })
  await journal.close()
}

describe('the format', () => {
  it('is this text', () => {
    const header = encodeHeader('phoenix-1')
    const group = encodeGroup(header.position, {
      events: [skipped('a'), skipped('b')],
      key: 'call',
      acks: ['00000001-x.json'],
    })
    expect(header.text + group.text).toMatchInlineSnapshot(`
      "{"seq":0,"prev":"0000000000000000000000000000000000000000000000000000000000000000","format":1,"run":"phoenix-1","hash":"f212dbbeb404e4901a37f2b757bb6281b11afabb277dc4984b2e372b4f0cf1fb"}
      {"seq":1,"prev":"f212dbbeb404e4901a37f2b757bb6281b11afabb277dc4984b2e372b4f0cf1fb","key":"call","more":true,"acks":["00000001-x.json"],"event":{"type":"node-skipped","at":1,"node":"a","because":"test"},"hash":"f5b72304d5c13b63e35c338f27d3826ac7e6fa6f7b9fdcab6b9e1fc08d91d53b"}
      {"seq":2,"prev":"f5b72304d5c13b63e35c338f27d3826ac7e6fa6f7b9fdcab6b9e1fc08d91d53b","key":"call","event":{"type":"node-skipped","at":1,"node":"b","because":"test"},"hash":"41fc65098d7eab4c97daaf82423589a757a39025197fecc367698148471d1f55"}
      "
    `)
  })

  it('is read back', () => {
    const header = encodeHeader('phoenix-1')
    const { text } = encodeGroup(header.position, { events: [skipped('ü\n"}')], key: 'call', acks: ['1'] })
    const found = scan(Buffer.from(header.text + text), START)
    expect(found.header).toEqual({ format: 1, run: 'phoenix-1' })
    expect(found.entries).toEqual([
      {
        seq: 1,
        offset: Buffer.byteLength(header.text),
        key: 'call',
        more: false,
        acks: ['1'],
        event: skipped('ü\n"}'),
      },
    ])
    expect(found.ending).toEqual({ kind: 'clean' })
  })

  it('of a newer version is refused with what to do', async () => {
    const { createHash } = await import('node:crypto')
    const body = `{"seq":0,"prev":"${'0'.repeat(64)}","format":2,"run":"r"`
    await writeFile(path, `${body},"hash":"${createHash('sha256').update(body).digest('hex')}"}\n`)
    await expect(readJournal(path)).rejects.toMatchObject({
      code: 'journal-format',
      exitCode: 4,
      hint: 'Go on with the version that began the run, or a later one.',
    })
  })

  it('cannot take an event that is no JSON, and the journal goes on without it', async () => {
    const journal = await opened()
    const event = { ...skipped('a'), because: 1n } as unknown as RunEvent
    expect(() => journal.append({ events: [skipped('x'), event] })).toThrow('BigInt')
    await journal.append({ events: [skipped('b')] })
    await journal.close()
    expect(nodes((await readJournal(path)).events)).toEqual(['b'])
  })
})

describe('readJournal', () => {
  it('shows only whole groups while one is being written, and neither waits nor complains', async () => {
    await recorded(['a'], ['b', 'c', 'd'])
    const whole = await readFile(path, 'utf8')
    const lines = whole.split('\n')
    for (const [cut, expected] of [
      [3, ['a']],
      [4, ['a']],
      [5, ['a', 'b', 'c', 'd']],
    ] as const) {
      await writeFile(path, `${lines.slice(0, cut).join('\n')}\n`)
      const content = await readJournal(path)
      expect(nodes(content.events)).toEqual(expected)
      expect(content.torn > 0).toBe(cut < 5)
    }
  })

  it('does not mind a clock that goes backwards', async () => {
    const journal = await opened()
    for (const at of [5, 3, -1, 0]) await journal.append({ events: [skipped(`at ${at}`, at)] })
    await journal.close()
    expect((await readJournal(path)).events.map(event => event.at)).toEqual([5, 3, -1, 0])
  })

  it('says that there is no journal', async () => {
    await expect(readJournal(join(folder, 'none'))).rejects.toMatchObject({ code: 'journal-unreadable' })
  })
})

describe('verifyJournal', () => {
  it('gives a head that stands for the whole, also when it was taken over', async () => {
    await recorded(['a'], ['b'])
    const before = await verifyJournal(path)
    expect(before).toMatchObject({ run: 'phoenix-1', records: 2, torn: 0 })
    await recorded()
    expect(await verifyJournal(path)).toEqual(before)
    await recorded(['c'])
    expect((await verifyJournal(path)).head).not.toBe(before.head)
  })
})

describe('follow', () => {
  /** Follows in the background; `until` resolves when so many events were seen. */
  function following(poll = 10): {
    seen: RunEvent[]
    done: Promise<void>
    until: (count: number) => Promise<void>
    end: () => Promise<void>
  } {
    const seen: RunEvent[] = []
    const abort = new AbortController()
    const done = follow(path, event => seen.push(event), abort.signal, { poll })
    done.catch(() => {})
    return {
      seen,
      done,
      until: count => expect.poll(() => seen.length).toBe(count),
      end: () => {
        abort.abort()
        return done
      },
    }
  }

  it('shows what is there, then what comes, and ends when told', async () => {
    await recorded(['a'])
    const view = following()
    await view.until(1)
    const journal = await opened()
    await journal.append({ events: [skipped('b'), skipped('c')] })
    await view.until(3)
    await journal.append({ events: [skipped('d')] })
    await journal.close()
    await view.until(4)
    await view.end()
    expect(nodes(view.seen)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('waits for a record that is written in parts', async () => {
    const { position } = await readJournal(path)
    const text = encodeGroup(position, { events: [skipped('a'), skipped('b')] }).text
    const view = following()
    for (let at = 0; at < text.length; at += 50) {
      await appendFile(path, text.slice(at, at + 50))
      if (at + 50 < text.length) expect(view.seen).toEqual([])
    }
    await view.until(2)
    await view.end()
  })

  it('goes on over a take-over', async () => {
    await recorded(['a'])
    const view = following()
    await view.until(1)
    await appendFile(path, '{"seq":2,')
    await recorded(['b'])
    await view.until(2)
    await view.end()
    expect(nodes(view.seen)).toEqual(['a', 'b'])
  })

  it('is told when what it has shown is not what counts', async () => {
    await recorded(['a'], ['b'])
    const view = following()
    await view.until(2)
    const other = join(folder, 'other.jsonl')
    await createJournal(other, 'phoenix-1')
    const { journal } = await openJournal(other, { guard })
    for (const node of ['x', 'y', 'z']) await journal.append({ events: [skipped(node)] })
    await journal.close()
    await writeFile(path, await readFile(other))
    await expect(view.done).rejects.toMatchObject({ code: 'journal-replaced' })
  })

  it('refuses damage', async () => {
    await recorded(['a'])
    const view = following()
    await view.until(1)
    await appendFile(path, 'garbage\n')
    await expect(view.done).rejects.toMatchObject({ code: 'journal-damaged' })
  })
})
