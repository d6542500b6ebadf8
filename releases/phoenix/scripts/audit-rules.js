/** What the dependency audit asks of a component's package.json. */
import { sep } from 'node:path'

const EXACT = /^\d+\.\d+\.\d+(?:-[\w.-]+)?$/
const DEPENDENCIES = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare']

const unpinned = manifest =>
  DEPENDENCIES.flatMap(kind => Object.entries(manifest[kind] ?? {}))
    .filter(([, range]) => !EXACT.test(range))
    .map(([name, range]) => `${name} is not pinned: ${range} can be another version tomorrow`)

const installScripts = manifest =>
  INSTALL_SCRIPTS.filter(name => manifest.scripts?.[name]).map(name => `the script ${name} runs at install`)

/** What is wrong with a component's package.json, as sentences. `folder` ends in `<name>/<version>`. */
export const auditManifest = (manifest, folder) => {
  const [name, version] = folder.split(sep).slice(-2)
  return [
    ...(manifest.name === name ? [] : [`the name is ${manifest.name} and the folder says ${name}`]),
    ...(manifest.version === version
      ? []
      : [`the version is ${manifest.version} and the folder says ${version}`]),
    ...(manifest.private === true ? [] : ['it is not private, and could be published by mistake']),
    ...(manifest.scripts?.start ? [] : ['it has no start script']),
    ...(manifest.engines?.node ? [] : ['it does not say which Node it needs']),
    ...unpinned(manifest),
    ...installScripts(manifest),
  ]
}
