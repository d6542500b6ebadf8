/**
 * What a person sees while writing a release: problems, hovers, completions, documentation.
 *
 * The texts are kept in misuse.txt and hovers.txt: read them when they change, they are the product.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Editor, type Position, type Problem } from './editor.ts'

// The language server shares the machine's cores with every other test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const root = fileURLToPath(new URL('../..', import.meta.url))
const here = fileURLToPath(new URL('.', import.meta.url))
const failing = join(here, 'failing')

const linesOf = (file: string): string[] => readFileSync(file, 'utf8').split('\n')

const filesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter(name => name.endsWith('.ts'))
    .sort()
    .map(name => join(folder, name))

/** Lines, from 0, of which the line above says that they are wrong. */
const wrongLines = (file: string): number[] =>
  linesOf(file).flatMap((line, index) => (line.trim() === '// wrong' ? [index + 1] : []))

const renderProblem = (file: string, problem: Problem): string => {
  const { line, character } = problem.range.start
  return `${basename(file)}:${line + 1}:${character + 1}\n  ${linesOf(file)[line]?.trim()}\n  ${problem.message.replaceAll('\n', '\n  ')}`
}

/** The words of hovers.ts that are looked at, each by what stands around it: the word itself is in brackets. */
const words = [
  'const [pace]',
  'const [auth]',
  'const order = [service]',
  'const [staging]',
  'const [token]',
  'const [waiting]',
  'const first = [release]',
  ".[stage]('build'",
  ".[stage]('staging'",
  "after: ['build'] }, [s] =>",
  '.[deploy](',
  'with: [rolling]',
  '.[parallel](',
  '.parallel([p] =>',
  'p.[step](',
  ".gate('two', ({ [outputs]",
  '.[each](',
  '(s, [item]) =>',
  '.[wait](',
  ".[step]('read'",
  "'read', ({ [outputs]",
  'outputs, [params]',
  'params, [secrets]',
  'secrets, [$]',
  'export default [second]',
]

const placeOf = (file: string, around: string): Position => {
  const text = readFileSync(file, 'utf8')
  const start = text.indexOf(around.replace(/\[([\w$]+)\]/, '$1'))
  if (start < 0) throw new Error(`${around} is not in ${file}`)
  const before = text.slice(0, start + around.search(/\[[\w$]+\]/)).split('\n')
  return { line: before.length - 1, character: before.at(-1)?.length ?? 0 }
}

const signatureOf = (hover: string): string => /^```\w*\n([\s\S]*?)\n```/.exec(hover)?.[1] ?? hover

const documentationOf = (hover: string): string => hover.replace(/^```\w*\n[\s\S]*?\n```/, '').trim()

let editor: Editor
beforeAll(async () => {
  editor = await Editor.open(root)
})
afterAll(() => editor.close())

describe('what is meant compiles', () => {
  for (const name of ['everything.ts', 'phoenix.ts', 'shell.ts', 'hovers.ts']) {
    test(name, async () => {
      expect(await editor.problems(join(here, name))).toEqual([])
    })
  }
})

describe('a large definition', () => {
  const folder = mkdtempSync(join(tmpdir(), 'large-'))
  beforeAll(() => prepare(folder))
  afterAll(() => rmSync(folder, { recursive: true }))

  // Types that nest as the definition grows are too deep for the checker from about thirty stages on.
  const stage = (index: number): string => `
    .stage('stage-${index}', ${index % 3 === 2 ? `{ after: ['stage-${index - 1}'] }, ` : ''}s => s
      .step('a${index}', () => ({ value: ${index} }))
      .step('b${index}', ({ outputs }) => outputs.a${index}.value + 1)
      .parallel(p => p
        .step('c${index}', ({ outputs }) => outputs.b${index})
        .sequence(s => s.step('d${index}', () => 1).step('e${index}', ({ outputs }) => outputs.d${index})))
      .step('f${index}', ({ outputs }) => outputs.c${index} + outputs.e${index} + outputs.a0.value))`
  const steps = Array.from({ length: 100 }, (_, index) => `.step('step-${index}', () => ${index})`)

  test('of forty stages, and a stage of a hundred steps, compiles', async () => {
    const file = join(folder, 'large.ts')
    const stages = Array.from({ length: 40 }, (_, index) => stage(index)).join('')
    const last = `.stage('last', s => s${steps.join('')}.step('end', ({ outputs }) => outputs['step-99'] + outputs.f39))`
    writeFileSync(
      file,
      `import { release } from 'release-as-code'\nexport default release('large', { version: '1.0.0' })${stages}${last}`,
    )
    expect(await editor.problems(file)).toEqual([])
  })
})

describe('what is wrong says what to write instead', () => {
  for (const file of filesIn(failing)) {
    test(`${basename(file)} is wrong where it says so, and nowhere else`, async () => {
      const lines = (await editor.problems(file)).map(problem => problem.range.start.line)
      expect([...new Set(lines)].sort((a, b) => a - b)).toEqual(wrongLines(file))
      expect(lines.length).toBe(wrongLines(file).length)
    })
  }

  test('the texts', async () => {
    const texts: string[] = []
    for (const file of filesIn(failing)) {
      for (const problem of await editor.problems(file)) texts.push(renderProblem(file, problem))
    }
    await expect(`${texts.join('\n\n')}\n`).toMatchFileSnapshot('misuse.txt')
  })
})

describe('what is shown over a word', () => {
  test('the texts', async () => {
    const file = join(here, 'hovers.ts')
    const texts: string[] = []
    for (const around of words) {
      const shown = signatureOf(await editor.hover(file, placeOf(file, around)))
      expect(shown, around).not.toBe('')
      texts.push(`${around}\n  ${shown.replaceAll('\n', '\n  ')}`)
    }
    await expect(`${texts.join('\n\n')}\n`).toMatchFileSnapshot('hovers.txt')
  })
})

describe('what is offered', () => {
  const folder = mkdtempSync(join(tmpdir(), 'language-'))
  beforeAll(() => prepare(folder))
  afterAll(() => rmSync(folder, { recursive: true }))

  /** `|` in the code is the place of the cursor. */
  const offered = async (name: string, code: string): Promise<readonly string[]> => {
    const before = code.slice(0, code.indexOf('|')).split('\n')
    const file = join(folder, `${name}.ts`)
    writeFileSync(file, code.replace('|', ''))
    return editor.completions(file, { line: before.length - 1, character: before.at(-1)?.length ?? 0 })
  }

  const begun = `import { release } from 'release-as-code'
    const begun = release('phoenix', { version: '3.0.0' })
      .stage('one', s => s.step('image', () => 1)).stage('two', s => s.wait('1s'))`

  test('after: the stages above', async () => {
    expect(await offered('after', `${begun}.stage('three', { after: ['|'] }, s => s)`)).toEqual([
      'one',
      'two',
    ])
  })

  test('policies', async () => {
    expect(await offered('policy', `${begun}.onFailure('|')`)).toEqual(
      expect.arrayContaining(['continue-partial', 'rollback-all', 'rollback-dependents', 'stop']),
    )
  })

  test('the words of a stage', async () => {
    expect(await offered('stage', `${begun}.stage('three', s => s.|)`)).toEqual(
      expect.arrayContaining([
        'gate',
        'approval',
        'deploy',
        'wait',
        'notify',
        'step',
        'parallel',
        'sequence',
        'each',
        'use',
      ]),
    )
  })

  test('outputs', async () => {
    const code = `${begun}.stage('three', s => s.step('read', ({ outputs }) => outputs.|))`
    expect(await offered('outputs', code)).toEqual(['image'])
  })

  test('nothing of the inside', async () => {
    expect(await offered('inside', `${begun}.|`)).toEqual(['name', 'stage', 'onFailure', 'guard'])
  })
})

describe('the documentation', () => {
  const index = join(root, 'src', 'index.ts')
  const sources = filesIn(join(root, 'src', 'definition'))
  const folder = mkdtempSync(join(tmpdir(), 'examples-'))
  beforeAll(() => prepare(folder))
  afterAll(() => rmSync(folder, { recursive: true }))

  /** Every name that the package exports, and where it stands. */
  const exported = linesOf(index).flatMap((line, number) =>
    line.startsWith('export') || line.startsWith('  ')
      ? [...line.replace(/from .*/, '').matchAll(/\b(?!export\b|type\b)\w+/g)].map(
          ({ 0: name, index: character }) => ({
            name,
            position: { line: number, character },
          }),
        )
      : [],
  )

  test('every export is explained, and every function shown in use', async () => {
    const lacking: string[] = []
    for (const { name, position } of exported) {
      const shown = await editor.hover(index, position)
      const isFunction = signatureOf(shown).includes('function ')
      if (documentationOf(shown) === '') lacking.push(`${name}: says nothing`)
      if (isFunction && !shown.includes('@example')) lacking.push(`${name}: shows no example`)
    }
    expect(exported.length).toBeGreaterThan(30)
    expect(lacking).toEqual([])
  })

  const examples = sources.flatMap(file =>
    [...readFileSync(file, 'utf8').matchAll(/@example\n([\s\S]*?)\*\//g)].map((match, number) => ({
      name: `${basename(file, '.ts')}-${number + 1}`,
      code: (match[1] ?? '').replaceAll(/^ *\* ?/gm, ''),
    })),
  )

  /** What the README shows whole. */
  const shown = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)]
    .map((match, number) => ({ name: `README-${number + 1}`, code: match[1] ?? '' }))
    .filter(({ code }) => code.includes("from 'release-as-code'"))

  test('there are examples', () => {
    expect(examples.length).toBeGreaterThan(20)
    expect(shown.length).toBe(2)
  })

  for (const { name, code } of [...examples, ...shown]) {
    test(`the example ${name} compiles`, async () => {
      const file = join(folder, `${name}.ts`)
      writeFileSync(file, code)
      expect(await editor.problems(file)).toEqual([])
    })
  }
})

/** Makes a folder in which a file compiles as it would beside a project's definition. */
function prepare(folder: string): void {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const settings = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { noUnusedLocals: false },
    include: ['*.ts'],
    exclude: [],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings))
}
