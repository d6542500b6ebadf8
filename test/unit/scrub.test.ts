import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createScrubber, type Disguise, disguisesOf, scrub } from '../../src/run/scrub.ts'

const token = 'p4ss"w/ör d\'+1'
const known = disguisesOf('TOKEN', token)
const label = '[secret TOKEN]'

describe('a secret in text', () => {
  const bytes = Buffer.from(token)
  it.each<[string, string]>([
    ['as it is', token],
    ['in JSON', JSON.stringify({ token }).slice('{"token":"'.length, -2)],
    ['in an address', encodeURIComponent(token)],
    ['in a form', new URLSearchParams({ t: token }).toString().slice(2)],
    ['in an address, lower case', encodeURIComponent(token).replace(/%../g, c => c.toLowerCase())],
    ['in quotes of a shell', token.replaceAll("'", "'\\''")],
    ['in base64', bytes.toString('base64')],
    ['in base64 for addresses', bytes.toString('base64url')],
  ])('%s', (_, text) => {
    expect(scrub(`<${text}> and <${text}>`, known)).toMatch(/^<\[secret TOKEN\]=*> and <\[secret TOKEN\]=*>$/)
  })

  it.each([0, 1, 2, 3, 4, 5])('in base64 after %i other bytes', before => {
    const text = Buffer.from(`${'u'.repeat(before)}${token}tail`).toString('base64')
    const shown = scrub(text, known)
    expect(shown).toContain(label)
    // What stays are the characters that share bits with the neighbours: too few to say anything.
    const rest = Buffer.from(shown.replace(label, ''), 'base64').toString('latin1')
    expect(rest).not.toContain(token.slice(1, 5))
  })

  it('takes out every line of a value of several lines', () => {
    const pem = '-----BEGIN KEY-----\nAAAAB3NzaC1yc2EAAAADAQABAAABAQ\nshort\n-----END KEY-----\n'
    const forms = disguisesOf('PEM', pem)
    expect(scrub('key:\n    AAAAB3NzaC1yc2EAAAADAQABAAABAQ\r\n', forms)).toBe('key:\n    [secret PEM]\r\n')
    expect(scrub(`x ${pem.trim()} y`, forms)).toBe('x [secret PEM] y')
    expect(scrub('it is short', forms)).toBe('it is short')
  })

  it('takes out long values as `base64` prints them', () => {
    const long = Array.from({ length: 40 }, (_, i) => `word${i}`).join('-')
    const printed = Buffer.from(long).toString('base64').replace(/.{76}/g, '$&\n')
    const shown = scrub(printed, disguisesOf('LONG', long))
    expect(shown.replaceAll('[secret LONG]', '').trim()).toBe('')
  })

  it.each(['a.b*c+d?', '^$()[]{}|\\', 'line\nline2', '-----', '//////', 'x'.repeat(20_000)])(
    'however odd: %j',
    value => {
      expect(scrub(`<${value}>`, disguisesOf('ODD', value))).toBe('<[secret ODD]>')
      expect(scrub('axbbcd', disguisesOf('ODD', value))).toBe('axbbcd')
    },
  )

  it('leaves nothing of values that overlap', () => {
    const both = [...disguisesOf('A', 'abcdef'), ...disguisesOf('B', 'defghi')]
    expect(scrub('_abcdefghi_', both)).toBe('_[secret A]_')
    expect(scrub('_abcdefdefghi_', both)).toBe('_[secret A][secret B]_')
    expect(scrub('aaaaa', disguisesOf('C', 'aaaa'))).toBe('[secret C]')
  })
})

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const inPieces = (text: string, disguises: readonly Disguise[], cut: () => number): string => {
  const scrubber = createScrubber(() => disguises)
  let shown = ''
  for (let at = 0; at < text.length; ) {
    const size = cut()
    shown += scrubber.write(text.slice(at, at + size))
    at += size
  }
  return shown + scrubber.end()
}

describe('a secret in pieces', { timeout: 60_000 }, () => {
  it.each([1, 2, 3, 5, 7, 13])('is found when the pieces have %i characters', size => {
    const text = `begin ${token} middle ${token}${token} ${JSON.stringify(token)} end`
    expect(inPieces(text, known, () => size)).toBe(scrub(text, known))
  })

  it('is found wherever it is cut, for overlapping and periodic values of a small alphabet', () => {
    const next = random(7)
    for (let round = 0; round < 4000; round += 1) {
      const word = (length: number): string => Array.from({ length }, () => 'ab'[next(2)]).join('')
      const disguises = [4, 5, 7].map((length, i) => ({ text: word(length), label: `<${i}>` }))
      const text = word(40)
      const shown = inPieces(text, disguises, () => 1 + next(6))
      // Labels of values that overlap may differ in name; what is left of the text may not.
      const plain = (s: string): string => s.replace(/<\d>/g, '<>')
      expect(plain(shown), inspect({ disguises, text })).toBe(plain(scrub(text, disguises)))
    }
  })

  it('shows at once what cannot be the beginning of a value', () => {
    const scrubber = createScrubber(() => disguisesOf('T', 'secret-value'))
    expect(scrubber.write('Continue? [y/n] ')).toBe('Continue? [y/n] ')
    expect(scrubber.write('a se')).toBe('a ')
    expect(scrubber.write('rvice')).toBe('service')
    expect(scrubber.write(' secret-valu')).toBe(' ')
    expect(scrubber.end()).toBe('secret-valu')
    expect(scrubber.end()).toBe('')
  })

  it('holds back no more than the longest value, however long the value goes on repeating', () => {
    const scrubber = createScrubber(() => [{ text: 'aaaaaaaa', label: '*' }])
    let shown = ''
    for (let i = 0; i < 1000; i += 1) shown += scrubber.write('a'.repeat(1000))
    shown += scrubber.end()
    expect(shown).toBe('*')
  })

  it('knows secrets that were read after it began', () => {
    let disguises: readonly Disguise[] = []
    const scrubber = createScrubber(() => disguises)
    expect(scrubber.write('hunter22 ')).toBe('hunter22 ')
    disguises = disguisesOf('P', 'hunter22')
    expect(scrubber.write('hunter22 ')).toBe('[secret P] ')
  })
})
