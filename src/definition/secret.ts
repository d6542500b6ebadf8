/**
 * Secrets: references to values that no plan, journal, log or report ever holds.
 *
 * Boundary: says where a value is to be read from; nothing here reads one.
 */
import { callSite } from './call-site.ts'
import { copyOf, type Handle, handle } from './handle.ts'
import type { SecretModel } from './model.ts'
import { brand } from './model.ts'

/** A reference to a secret: what `secret()` returns. It has no value; steps read one with `await secrets.NAME()`. */
export interface Secret<Name extends string = string> extends Handle<SecretModel> {
  readonly name: Name
}

/** Where a secret is read from: a file, or a command that prints it. */
export type SecretSource =
  | {
      /** Path of the file whose text, without its last line break, is the value. */
      readonly file: string
    }
  | {
      /** The program and its arguments; what it prints, without the last line break, is the value. */
      readonly command: readonly [string, ...string[]]
    }

const sourceModel = (name: string, source: SecretSource | undefined): SecretModel['from'] => {
  if (source === undefined) return { kind: 'env', variable: name }
  return 'file' in source
    ? { kind: 'file', path: source.file }
    : { kind: 'command', argv: copyOf(source.command) }
}

/**
 * Refers to a secret by name: read from the environment variable of that name, or from a file or a command.
 *
 * The value is read only when something that needs it runs, and is replaced by `[secret NAME]` wherever it
 * would be printed. List it in the release's `secrets` to read it in steps.
 *
 * @example
 * import { release, secret, slack } from 'release-as-code'
 *
 * const token = secret('REGISTRY_TOKEN', { command: ['pass', 'show', 'registry'] })
 *
 * export default release('phoenix', { version: '3.0.0', secrets: [token] })
 *   .stage('publish', s => s
 *     .step('push', async ({ $, secrets }) => {
 *       await $({ env: { TOKEN: await secrets.REGISTRY_TOKEN() } })`npm run push`
 *     }, { idempotent: true })
 *     .notify(slack(secret('SLACK_WEBHOOK'), '#releases')))
 */
export function secret<const Name extends string>(name: Name, source?: SecretSource): Secret<Name> {
  const written: SecretModel = {
    [brand]: 'secret',
    name,
    from: sourceModel(name, source),
    at: callSite(secret),
  }
  return handle({ name }, written)
}
