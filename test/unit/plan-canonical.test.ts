import { describe, expect, test } from 'vitest'
import { canonicalJson, canonicalPieces, hashedPart, isIntact, sealPlan } from '../../src/plan/canonical.ts'
import { samplePlan, sha256 } from '../fixtures/plan-samples.ts'

describe('canonicalJson', () => {
  const check = (input: unknown, expected: string): void => expect(canonicalJson(input)).toBe(expected)

  test('writes values as ECMAScript does', () => {
    check(null, 'null')
    check([true, false], '[true,false]')
    check(
      [1e21, 1e-7, 0.1, 333333333.3333333, 4.5, 0.002, 1e30, -0],
      '[1e+21,1e-7,0.1,333333333.3333333,4.5,0.002,1e+30,0]',
    )
    check('€$\u000f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"')
  })

  test('sorts properties by UTF-16 code units, as RFC 8785’s own example has it', () => {
    check(
      {
        '\u20ac': 'Euro Sign',
        '\r': 'Carriage Return',
        '\ufb33': 'Hebrew Letter Dalet With Dagesh',
        '1': 'One',
        '\ud83d\ude00': 'Emoji: Grinning Face',
        '\u0080': 'Control',
        '\u00f6': 'Latin Small Letter O With Diaeresis',
      },
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    )
    check({ b: { d: 1, c: [] }, a: {}, 10: 0, 9: 0 }, '{"10":0,"9":0,"a":{},"b":{"c":[],"d":1}}')
  })

  test('leaves out what is undefined, as JSON does', () => check({ a: undefined, b: 1 }, '{"b":1}'))

  test('takes objects without a prototype', () =>
    check(Object.assign(Object.create(null), { a: 1 }), '{"a":1}'))

  const refuse = (input: unknown, message: string): void =>
    expect(() => canonicalJson(input)).toThrow(
      expect.objectContaining({ code: 'not-json', message: `${message}, which JSON cannot say` }),
    )

  test('refuses what JSON cannot say, and says where it is', () => {
    refuse(Number.NaN, 'the value is NaN')
    refuse({ a: [1, { b: Infinity }] }, 'a.1.b is Infinity')
    refuse([undefined], '0 is undefined')
    refuse({ a: () => 1 }, 'a is a function')
    refuse({ a: 1n }, 'a is a bigint')
    refuse({ at: new Date(0) }, 'at is an object of class Date')
    refuse({ a: new Map() }, 'a is an object of class Map')
    refuse({ a: '\ud800' }, 'a is a string with a lone surrogate')
  })
})

describe('canonicalPieces', () => {
  const check = (input: object): void =>
    expect([...canonicalPieces(input)].join('')).toBe(canonicalJson(input))

  test('together are the canonical text', () => {
    check({})
    check({ a: undefined })
    check({ b: [], a: [[]], 10: {}, 9: null, '': 0 })
    check({ ['__proto__']: [{ ['__proto__']: 1, a: 2 }], a: { 2: 'two', 10: 'ten' } })
    check(samplePlan())
  })

  test('also where a list is cut', () => {
    for (const length of [1, 499, 500, 501, 1000, 1001]) {
      const list = Array.from({ length }, (_, n) => ({ z: n, a: { 10: n, 9: `€${n}` }, gone: undefined }))
      check({ nodes: list, facts: { list } })
    }
  })

  test('refuse what JSON cannot say, and say where it is', () => {
    const refuse = (input: object, message: string): void =>
      expect(() => [...canonicalPieces(input)]).toThrow(
        expect.objectContaining({ code: 'not-json', message: `${message}, which JSON cannot say` }),
      )
    const list = Array.from({ length: 700 }, () => ({ at: 0 }))
    refuse({ nodes: [...list, { at: Number.NaN }] }, 'nodes.700.at is NaN')
    refuse({ nodes: Object.assign([...list], { length: 702 }) }, 'nodes.700 is undefined')
    refuse({ a: { b: [1n] } }, 'a.b.0 is a bigint')
    refuse({ '\ud800': 1 }, 'the value is a string with a lone surrogate')
  })
})

describe('the hash of a plan', () => {
  const plan = samplePlan()

  test('covers everything but itself and positions', () => {
    expect(Object.keys(plan).filter(name => !(name in hashedPart(plan)))).toEqual(['positions', 'hash'])
    expect(sealPlan({ ...plan, positions: {} }, sha256).hash).toBe(plan.hash)
    for (const name of Object.keys(hashedPart(plan))) {
      expect(isIntact({ ...plan, [name]: 'other' }, sha256), name).toBe(false)
    }
  })

  test('is the same for whatever order properties are written in', () => {
    const turned = Object.fromEntries(Object.entries(plan).reverse()) as unknown as typeof plan
    expect(sealPlan(turned, sha256).hash).toBe(plan.hash)
    expect(isIntact(JSON.parse(JSON.stringify(turned)), sha256)).toBe(true)
  })

  test('shows a change of the plan or of the hash', () => {
    expect(isIntact(plan, sha256)).toBe(true)
    const [first, ...rest] = plan.nodes
    expect(isIntact({ ...plan, nodes: [{ ...first!, timeout: 1 }, ...rest] }, sha256)).toBe(false)
    expect(isIntact({ ...plan, nodes: rest.concat(first!) }, sha256)).toBe(false)
    expect(isIntact({ ...plan, hash: sha256('') }, sha256)).toBe(false)
  })
})
