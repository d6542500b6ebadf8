/**
 * The rules of the house that no compiler keeps: who may import whom, what stays out of the pure half, where each
 * third-party package lives. See ARCHITECTURE.md.
 *
 * It reads files only. Each rule is a list of offenders that has to be empty, so that a failure names the places.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sortTopologically } from '../src/graph/graph.ts'

const root = resolve(import.meta.dirname, '..')

interface Import {
  readonly from: string
  /** As written. */
  readonly target: string
  /** `import type`: gone at run time, which `{ type A }` is not. */
  readonly erased: boolean
  /** `await import(…)`: loaded when it is needed. */
  readonly lazy: boolean
}

const filesIn = (folder: string): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => relative(root, join(entry.parentPath, entry.name)))
    .sort()

const files = [...filesIn('src'), ...filesIn('runner')]
const texts = new Map(files.map(file => [file, readFileSync(join(root, file), 'utf8')]))

/** Without comments and without the text of strings, so that only code is searched. */
const codeOf = (file: string): string =>
  texts
    .get(file)!
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
    .replace(/\/\/.*$/gm, '')

const STATIC = /^(import|export)\s+(type\s+)?([^'";]*?\sfrom\s+)?'([^']+)'/gm
/** A text may speak of `import('…')`: only what can be the name of a module is one. */
const LAZY = /\bimport\(\s*'([\w@./:-]+)'\s*\)/g

function importsOf(file: string): readonly Import[] {
  const text = texts
    .get(file)!
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '')
  const static_ = [...text.matchAll(STATIC)].map(([, , type, , target]) => ({
    from: file,
    target: target!,
    erased: type !== undefined,
    lazy: false,
  }))
  const lazy = [...text.matchAll(LAZY)].map(([, target]) => ({
    from: file,
    target: target!,
    erased: false,
    lazy: true,
  }))
  return [...static_, ...lazy]
}

const imports = files.flatMap(importsOf)
const isOurs = ({ target }: Import): boolean => target.startsWith('.')
/** The file that is meant, relative to the project's folder. */
const fileOf = ({ from, target }: Import): string => relative(root, resolve(root, dirname(from), target))
const areaOf = (file: string): string => file.split('/').slice(0, 2).join('/')
const show = (one: Import): string => `${one.from} imports ${one.target}`
const offenders = (wrong: (one: Import) => boolean): readonly string[] => imports.filter(wrong).map(show)

test('there is something to look at', () => {
  expect(files.length).toBeGreaterThan(100)
  expect(imports.length).toBeGreaterThan(files.length)
  expect(imports.some(({ lazy }) => lazy)).toBe(true)
  expect(
    imports.filter(isOurs).filter(one => !texts.has(fileOf(one)) && !one.target.endsWith('.json')),
  ).toEqual([])
})

describe('the pure half', () => {
  const pure = files.filter(file => file.startsWith('src/'))

  test('imports no node module and nothing of the runner', () => {
    const inSrc = ({ from }: Import): boolean => from.startsWith('src/')
    expect(offenders(one => inSrc(one) && /^node:/.test(one.target))).toEqual([])
    expect(offenders(one => inSrc(one) && isOurs(one) && !fileOf(one).startsWith('src/'))).toEqual([])
  })

  test.each([
    ['the process', /\bprocess\b\s*[.?[]/],
    ['the clock', /\bDate\b|\bperformance\b|\bTemporal\b/],
    ['randomness', /\bMath\.random\b|\bcrypto\b/],
    ['timers', /\bset(Timeout|Interval|Immediate)\b/],
    ['the network', /\bfetch\(|\bWebSocket\b/],
    ['the console', /\bconsole\b/],
    ['what every module shares', /\bglobalThis\b/],
  ])('does not touch %s', (_, pattern) => {
    expect(pure.filter(file => pattern.test(codeOf(file)))).toEqual([])
  })
})

describe('who imports whom', () => {
  /** Open to all: what is wrong, as data and as exceptions. */
  const OPEN = ['src/diagnostic.ts', 'src/errors.ts']
  const MAY: Readonly<Record<string, readonly string[]>> = {
    'src/graph': [],
    'src/definition': [],
    'src/plan': ['src/graph', 'src/judge'],
    'src/compile': ['src/definition', 'src/graph', 'src/plan', 'src/judge', 'src/version'],
    'src/run': ['src/graph', 'src/plan', 'src/judge', 'src/version'],
    'src/judge': [],
    'src/version': [],
  }

  test.each(Object.entries(MAY))('%s imports only %j', (area, may) => {
    const wrong = (one: Import): boolean =>
      areaOf(one.from) === area &&
      isOurs(one) &&
      ![area, ...may].includes(areaOf(fileOf(one))) &&
      !OPEN.includes(fileOf(one))
    expect(offenders(wrong)).toEqual([])
  })

  test('every area of the pure half has a rule', () => {
    const areas = new Set(files.filter(file => file.startsWith('src/')).map(areaOf))
    const known = [...Object.keys(MAY), ...OPEN, 'src/index.ts']
    expect([...areas].filter(area => !known.includes(area))).toEqual([])
  })

  test('the language is the definition and nothing else', () => {
    const wrong = (one: Import): boolean =>
      one.from === 'src/index.ts' && areaOf(fileOf(one)) !== 'src/definition'
    expect(offenders(wrong)).toEqual([])
  })

  /** What adapters that start processes on this machine share: no port of its own, so no adapter. */
  const isLoopback = (file: string): boolean => file.startsWith('runner/adapters/loopback/')

  /** The folder of an adapter, or its file where it has no folder. */
  const adapterOf = (file: string): string | null =>
    isLoopback(file)
      ? null
      : (/^runner\/adapters\/(platforms|routers)\/[^/]+/.exec(file)?.[0] ??
        /^runner\/adapters\/[^/]+/.exec(file)?.[0] ??
        null)

  test('an adapter imports no other adapter', () => {
    const wrong = (one: Import): boolean => {
      const from = adapterOf(one.from)
      const to = isOurs(one) ? adapterOf(fileOf(one)) : null
      return from !== null && to !== null && from !== to
    }
    expect(offenders(wrong)).toEqual([])
    const fromLoopback = (one: Import): boolean =>
      isLoopback(one.from) && isOurs(one) && adapterOf(fileOf(one)) !== null
    expect(offenders(fromLoopback)).toEqual([])
  })

  test('an adapter knows neither the engine, nor views, nor the command line', () => {
    const wrong = (one: Import): boolean =>
      adapterOf(one.from) !== null && isOurs(one) && /^runner\/(engine|views|host|cli)\//.test(fileOf(one))
    expect(offenders(wrong)).toEqual([])
  })

  test('a view knows neither the engine, nor adapters, nor the journal', () => {
    const wrong = (one: Import): boolean =>
      one.from.startsWith('runner/views/') &&
      isOurs(one) &&
      /^runner\/(engine|adapters|journal|cli)\//.test(fileOf(one))
    expect(offenders(wrong)).toEqual([])
  })

  test('nothing goes in a circle at run time', () => {
    const graph = files.map(file => ({
      key: file,
      needs: [
        ...new Set(
          imports
            .filter(one => one.from === file && !one.erased && !one.lazy && isOurs(one))
            .map(fileOf)
            .filter(target => texts.has(target)),
        ),
      ],
    }))
    const sorted = sortTopologically(graph)
    expect(sorted.ok ? [] : sorted.cycle).toEqual([])
  })
})

describe('third-party packages', () => {
  /** Where each may be imported. */
  const HOMES: Readonly<Record<string, readonly RegExp[]>> = {
    listr2: [/^runner\/host\//],
    'd3-scale': [/^runner\/views\//],
    esbuild: [/^runner\/load\//],
    typescript: [/^runner\/load\//],
    yaml: [/^runner\/load\//],
    ajv: [/^runner\/load\//],
    zx: [/^runner\/adapters\/commands\//],
    undici: [/^runner\/adapters\/(platforms|gates|notifiers)\//],
    semver: [/^src\/(compile|version)\//],
  }
  const packageOf = (target: string): string =>
    target
      .split('/')
      .slice(0, target.startsWith('@') ? 2 : 1)
      .join('/')
  const foreign = imports.filter(one => !isOurs(one) && !one.target.startsWith('node:'))

  test('each stays in its home', () => {
    const wrong = foreign.filter(one => !HOMES[packageOf(one.target)]?.some(home => home.test(one.from)))
    expect(wrong.map(show)).toEqual([])
  })

  test('each dependency is used, and each that is used is one', () => {
    const { dependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>
    }
    const used = new Set(foreign.map(({ target }) => packageOf(target)))
    const declared = Object.keys(dependencies)
    expect([...used].filter(name => !declared.includes(name))).toEqual([])
    expect(declared.filter(name => !used.has(name))).toEqual([])
  })
})

describe('files', () => {
  test('are in kebab-case, and none is called after no subject', () => {
    const all = [...files, ...filesIn('test').filter(file => !/fixtures|failing/.test(file))]
    const named = (file: string): string => basename(file).replace(/\.(test|bench|child)?\.?ts$/, '')
    expect(all.filter(file => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(named(file)))).toEqual([])
    expect(all.filter(file => /^(utils?|helpers?|common|misc|shared)$/.test(named(file)))).toEqual([])
  })

  /** Longer than a reader wants, with the reason why it is one. */
  const LONG: Readonly<Record<string, string>> = {
    'runner/engine/simulated-ground.ts':
      'one ground: its queue, its clock and its faults are one order of events',
    'runner/views/model.ts': 'one fold from events to what every view shows',
  }

  test('are at most 400 lines long, or say why', () => {
    const long = files.filter(file => texts.get(file)!.split('\n').length > 400)
    expect(long.filter(file => !(file in LONG))).toEqual([])
    expect(
      Object.keys(LONG).filter(file => !long.includes(file)),
      'no longer long',
    ).toEqual([])
  })

  test('open with what they are for', () => {
    const opens = (file: string): boolean => /^(#!.*\n)?\/\*\*/.test(texts.get(file)!)
    // A command's file is its one table entry, whose JSDoc says it.
    const needsOne = files.filter(file => !file.startsWith('runner/cli/'))
    expect(needsOne.filter(file => !opens(file))).toEqual([])
  })

  test('leave nothing for later', () => {
    const all = [...files, ...filesIn('releases'), ...filesIn('templates')]
    const later = /\b(TODO|FIXME|XXX|HACK)\b/
    expect(all.filter(file => later.test(texts.get(file) ?? readFileSync(join(root, file), 'utf8')))).toEqual(
      [],
    )
  })
})

describe('the public face', () => {
  /** Declarations that `src/index.ts` hands on, by the file in which they stand. */
  const handedOn = [
    ...texts.get('src/index.ts')!.matchAll(/export (?:type )?\{([^}]+)\} from '([^']+)'/g),
  ].flatMap(([, names, target]) =>
    names!
      .split(',')
      .map(name => name.trim())
      .filter(name => name !== '')
      .map(name => ({
        name,
        file: fileOf({ from: 'src/index.ts', target: target!, erased: false, lazy: false }),
      })),
  )

  test('says of each name what it is', () => {
    expect(handedOn.length).toBeGreaterThan(40)
    const undocumented = handedOn.filter(({ name, file }) => {
      const declared = new RegExp(
        `\\*/\\nexport (?:declare )?(?:function|const|interface|type|class) ${name}\\b`,
      )
      return !declared.test(texts.get(file)!)
    })
    expect(undocumented).toEqual([])
  })
})
