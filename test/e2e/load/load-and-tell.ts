/**
 * A program that loads the definition named by its argument, with its types checked, and prints the
 * bundle's hash and which of the heavy packages were loaded for it.
 */
import { registerHooks } from 'node:module'

const [, , file = ''] = process.argv
const loaded = new Set<string>()
registerHooks({
  load(url, context, nextLoad) {
    const name = /\/node_modules\/(esbuild|typescript|ajv|yaml)\//.exec(url)?.[1]
    // A package.json is read to know a version, which is not loading the package.
    if (name !== undefined && !url.endsWith('.json')) loaded.add(name)
    return nextLoad(url, context)
  },
})

const { findProject } = await import('../../../runner/load/project.ts')
const { loadDefinition } = await import('../../../runner/load/load.ts')
const project = await findProject(file, { cwd: process.cwd() })
const { bundle } = await loadDefinition(project, { types: 'check' })
process.stdout.write(JSON.stringify({ hash: bundle.hash, packages: [...loaded].sort() }))
