#!/usr/bin/env node
/**
 * The bin. Says so where Node is too old, before anything that an old Node could not read is loaded.
 */
const [major] = process.versions.node.split('.').map(Number)

if (major === undefined || major < 24) {
  process.stderr.write(
    `release needs Node 24 or later, and this is ${process.version} (${process.execPath}).\n` +
      'Install a newer one, or run it through the project that has one: npx release …\n',
  )
  process.exitCode = 2
} else {
  const { enableCompileCache } = await import('node:module')
  enableCompileCache()
  const { main } = await import('./main.ts')
  await main(process.argv.slice(2))
}
