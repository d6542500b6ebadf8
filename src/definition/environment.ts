/**
 * Environments, and the platforms that they are on.
 *
 * Boundary: names a platform and its settings; the platform's adapter is elsewhere.
 */
import { callSite } from './call-site.ts'
import { type Handle, handle, requireModel } from './handle.ts'
import type { EnvironmentModel, PlatformModel } from './model.ts'
import { brand } from './model.ts'

/** What an environment is on: what `local()` returns. */
export interface Platform extends Handle<PlatformModel> {}

/** Where components run: what `environment()` returns. */
export interface Environment<Name extends string = string> extends Handle<EnvironmentModel> {
  readonly name: Name
}

export interface LocalOptions {
  /** Definitions that name the same cluster share its environments; the release's name if left out. */
  readonly cluster?: string
}

export interface EnvironmentOptions {
  readonly on: Platform
  /** Nothing reaches it without a gate or an approval before it: `release check` says so otherwise. */
  readonly protect?: boolean
}

/**
 * The platform of this machine: components run as processes, behind a gateway on 127.0.0.1.
 *
 * @example
 * import { environment, local } from 'release-as-code'
 *
 * const staging = environment('staging', { on: local({ cluster: 'techcorp' }) })
 */
export function local(options: LocalOptions = {}): Platform {
  const written: PlatformModel = { [brand]: 'platform', kind: 'local', cluster: options.cluster ?? null }
  return handle({}, written)
}

/**
 * Declares a place where components run.
 *
 * @param name unique in the release, and on its platform's cluster.
 * @example
 * import { environment, local } from 'release-as-code'
 *
 * const production = environment('production', { on: local(), protect: true })
 */
export function environment<const Name extends string>(
  name: Name,
  options: EnvironmentOptions,
): Environment<Name> {
  const written: EnvironmentModel = {
    [brand]: 'environment',
    name,
    on: requireModel('platform', options.on, `The environment '${name}': on`),
    protect: options.protect ?? false,
    at: callSite(environment),
  }
  return handle({ name }, written)
}
