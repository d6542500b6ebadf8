/** The components of Phoenix, where their sources lie, and which version is being released. */
import { readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** `releases/phoenix` */
export const phoenix = resolve(import.meta.dirname, '..')

export const components = [
  'auth-service',
  'payment-service',
  'inventory-service',
  'user-service',
  'order-service',
  'shipping-service',
  'notification-service',
  'analytics-service',
  'web-app',
]

/** As the run says, or the newest. */
export const releasedVersion = () => process.env.RELEASE_VERSION ?? '3.0.0'

/** The folder that is deployed. */
export const folderOf = (component, version) => join(phoenix, component, version)

/** Every file below a folder, in order of name. */
export const filesOf = folder =>
  readdirSync(folder, { recursive: true })
    .map(name => join(folder, name))
    .filter(file => statSync(file).isFile())
    .sort()

/** Versions that the components can be released at: the names of the kits. */
export const versions = readdirSync(join(phoenix, 'kit')).map(file => file.replace(/\.js$/, ''))
