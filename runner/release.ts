#!/usr/bin/env node
/**
 * The bin. Says so where Node is too old, before anything that an old Node could not read is loaded.
 *
 * Built, the whole command line is one CommonJS script beside this one: each of its modules runs when it is first
 * asked for, and so does what it needs of Node's own. As ES modules they would all be opened, linked and run before
 * the first line, and Node would read every export of each of its own, the costly ones among them.
 */
const [major] = process.versions.node.split('.').map(Number)

if (major === undefined || major < 24) {
  process.stderr.write(
    `release needs Node 24 or later, and this is ${process.version} (${process.execPath}).\n` +
      'Install a newer one, or run it through the project that has one: npx release …\n',
  )
  process.exitCode = 2
} else {
  const { createRequire, enableCompileCache } = process.getBuiltinModule('node:module')
  const load = createRequire(import.meta.url)
  const built = import.meta.url.endsWith('.js')
  const argv = process.argv.slice(2)
  const memory = load(
    built ? './recall.cjs' : './remembered/recall.ts',
  ) as typeof import('./remembered/recall.ts')
  if (!memory.recalled(argv)) {
    enableCompileCache(compileCache())
    const { main } = load(built ? './main.cjs' : './main.ts') as typeof import('./main.ts')
    await main(argv, memory.thisQuestion(argv))
  }
}

/**
 * Where V8's compiled code is kept: with the person, and not where anybody may write as Node's own default is, since what
 * lies there is run. V8 refuses what was made from another text or by another version.
 *
 * Each command has its own, for what is kept is what the first process had compiled by its end. A folder that cannot
 * be written costs the time that was to be saved, and nothing else.
 */
function compileCache(): string {
  const { NODE_COMPILE_CACHE, XDG_CACHE_HOME } = process.env
  if (NODE_COMPILE_CACHE) return NODE_COMPILE_CACHE
  const { homedir } = process.getBuiltinModule('node:os')
  const { join } = process.getBuiltinModule('node:path')
  const command = /^[a-z]+$/.exec(process.argv[2] ?? '')?.[0] ?? 'none'
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'release-as-code', 'compiled', command)
}
