import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { digestTree, listTree, manifestOf } from '../../../runner/adapters/platforms/local/tree.ts'

const folders: string[] = []
afterEach(() => Promise.all(folders.splice(0).map(folder => rm(folder, { recursive: true }))))

/** A folder from a table: text is a file, `#!` makes it executable, `->` makes it a link, null an empty folder. */
const folderOf = async (files: Readonly<Record<string, string | null>>): Promise<string> => {
  const root = await mkdtemp(path.join(tmpdir(), 'release-tree-'))
  folders.push(root)
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name)
    await mkdir(content === null ? file : path.dirname(file), { recursive: true })
    if (content?.startsWith('->')) await symlink(content.slice(2), file)
    else if (content !== null)
      await writeFile(file, content, { mode: content.startsWith('#!') ? 0o755 : 0o644 })
  }
  return root
}

test('the list names every file and link, in one order, whatever order they were made in', async () => {
  const files = {
    'b/x': 'X',
    a: '#!/bin/sh',
    'b-c': 'Y',
    'link to a': '->a',
    'b/up': '->../a',
    'ä\n"': 'odd',
  }
  const there = manifestOf(await listTree(await folderOf(files)))
  const back = manifestOf(await listTree(await folderOf(Object.fromEntries(Object.entries(files).reverse()))))
  expect(back).toBe(there)
  expect(there).toMatchInlineSnapshot(`
    "release-as-code tree 1
    exec "a" 3af71adb278ad4af33c144b78fa1ae708da03b773d98324ae991a7daedb53ca2
    file "b-c" 18f5384d58bcb1bba0bcd9e6a6781d1a6ac2cc280c330ecbab6cb7931b721552
    link "b/up" "../a"
    file "b/x" 4b68ab3847feda7d6c62c1fbcbeebfa35eab7351ed5e78f4ddadea5df64b8015
    link "link to a" "a"
    file "ä\\n\\"" 990cb8ebd0afb7150da453a213036a92f2c05e091df0d803e62d257ea7796c27
    "
  `)
})

const base = { 'server.js': 'code', 'bin/run': 'run', link: '->server.js' }
const cases: readonly {
  name: string
  change: Readonly<Record<string, string | null>>
  same: boolean
}[] = [
  { name: 'nothing', change: {}, same: true },
  { name: 'a content', change: { 'server.js': 'other' }, same: false },
  { name: 'an executable bit', change: { 'bin/run': '#!run' }, same: false },
  { name: 'one more file', change: { 'more.txt': '' }, same: false },
  { name: 'a link’s target', change: { link: '->bin/run' }, same: false },
  { name: 'a dependency', change: { 'node_modules/dep/index.js': 'dep' }, same: false },
  { name: 'an empty folder', change: { empty: null }, same: true },
  { name: 'version control', change: { '.git/HEAD': 'ref', 'sub/.git': 'gitdir: x' }, same: true },
  { name: 'a tool’s cache', change: { 'node_modules/.cache/x': 'x' }, same: true },
]
test.each(cases)('$name changed: same digest $same', async ({ change, same }) => {
  const before = await digestTree(await folderOf(base))
  const after = await digestTree(await folderOf({ ...base, ...change }))
  expect(after === before).toBe(same)
})

test('times and other permissions do not matter', async () => {
  const folder = await folderOf(base)
  const before = await digestTree(folder)
  await utimes(path.join(folder, 'server.js'), 1, 1)
  await chmod(path.join(folder, 'server.js'), 0o600)
  expect(await digestTree(folder)).toBe(before)
})

test.each([
  { name: 'a link out of the folder', files: { link: '->../outside' }, code: 'source-link-outside' },
  {
    name: 'a link to a neighbour with the same beginning',
    files: { link: '->../x' },
    code: 'source-link-outside',
  },
  { name: 'an absolute link', files: { link: '->/etc/passwd' }, code: 'source-link-outside' },
])('$name is refused', async ({ files, code }) => {
  await expect(digestTree(await folderOf(files as Record<string, string>))).rejects.toMatchObject({ code })
})

test('a folder that is not there is refused', async () => {
  await expect(digestTree('/nowhere/at/all')).rejects.toMatchObject({ code: 'source-missing' })
})
