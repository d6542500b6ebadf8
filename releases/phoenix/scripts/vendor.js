/**
 * Copies each version's kit into the services of that version, because a folder is deployed as it is.
 *
 * Run it after a change to `kit/`; the tests fail while a copy differs.
 */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { components, folderOf, phoenix, versions } from './components.js'

for (const version of versions)
  for (const component of components)
    copyFileSync(join(phoenix, 'kit', `${version}.js`), join(folderOf(component, version), 'kit.js'))
