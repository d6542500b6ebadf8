import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localHome, nameOf, segment } from '../../../runner/adapters/platforms/local/home.ts'
import { localSource, startScript } from '../../../runner/adapters/platforms/local/source.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'release-source-'))
})
afterAll(() => rm(root, { recursive: true }))

describe('home', () => {
  test.each([
    { env: { RELEASE_LOCAL_HOME: '/a/b' }, expected: '/a/b' },
    { env: { RELEASE_LOCAL_HOME: '/a/b', XDG_STATE_HOME: '/state' }, expected: '/a/b' },
    { env: { XDG_STATE_HOME: '/state' }, expected: '/state/release-as-code/local' },
    {
      env: { XDG_STATE_HOME: '' },
      expected: expect.stringMatching(/\/\.local\/state\/release-as-code\/local$/),
    },
  ])('$env', ({ env, expected }) => {
    expect(localHome(env)).toEqual(expected)
  })

  test.each(['plain', 'a/b', '..', '.', '.hidden', 'a b', 'ä', '%2F', 'a.1'])(
    '%j is one segment, and comes back',
    name => {
      const folder = segment(name)
      expect(path.normalize(path.join('/root', folder, 'x'))).toBe(`/root/${folder}/x`)
      expect(nameOf(folder)).toBe(name)
    },
  )
})

describe('a component’s folder', () => {
  test('the version’s own first, then the component’s; none, with what was tried', async () => {
    const definition = path.join(root, 'phoenix.ts')
    const services = path.join(root, 'phoenix')
    await mkdir(path.join(services, 'auth', '3.0.0'), { recursive: true })
    await mkdir(path.join(services, 'user'), { recursive: true })
    const check = (name: string, folder: string | null) =>
      expect(localSource(definition, name, '3.0.0')).toEqual({
        folder: folder && path.join(services, folder),
        tried: [path.join(services, name, '3.0.0'), path.join(services, name)],
      })
    check('auth', 'auth/3.0.0')
    check('user', 'user')
    check('nobody', null)
  })
})

describe('the start script', () => {
  const read = async (content: string | null) => {
    const folder = await mkdtemp(path.join(root, 'package-'))
    if (content !== null) await writeFile(path.join(folder, 'package.json'), content)
    return startScript(folder)
  }
  const script = (start: unknown) => JSON.stringify({ scripts: { start } })

  test.each([
    { content: script('node server.js'), argv: ['node', 'server.js'] },
    { content: script(`node -e 'a b' "c d"`), argv: ['node', '-e', 'a b', 'c d'] },
  ])('$content', async ({ content, argv }) => {
    expect(await read(content)).toEqual(argv)
  })

  test.each([
    { content: null, code: 'start-missing' },
    { content: '{', code: 'start-missing' },
    { content: 'null', code: 'start-missing' },
    { content: '{}', code: 'start-missing' },
    { content: script(''), code: 'start-missing' },
    { content: script(7), code: 'start-missing' },
    { content: script('npm run build && node server.js'), code: 'start-needs-shell' },
    { content: script('PORT=3000 node server.js'), code: 'start-needs-shell' },
    { content: script('node server.js > log'), code: 'start-needs-shell' },
    { content: script('node $FILE'), code: 'start-needs-shell' },
  ])('$content: $code', async ({ content, code }) => {
    await expect(read(content)).rejects.toMatchObject({ code, hint: expect.any(String) })
  })
})
