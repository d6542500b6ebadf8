/**
 * TechCorp's key store on this machine. It makes each secret on first use.
 *
 * It lies beside the machine's environments rather than in a checkout, because two checkouts that release to
 * the same environment have to share the keys.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const names = ['signing-key', 'synthetic-password']

/** Where TechCorp keeps what belongs to the machine: `$TECHCORP_HOME`, or a folder below the user's state. */
export const techcorpHome = () => {
  const { TECHCORP_HOME, XDG_STATE_HOME } = process.env
  return TECHCORP_HOME ?? join(XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'techcorp')
}

/** Writes a whole file or none, and only where there is none: of two who come first, one wins and both read it. */
const createOnce = (file, text) => {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600 })
  try {
    linkSync(draft, file)
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  } finally {
    rmSync(draft)
  }
}

/** The secret's value. Throws where there is no secret of this name. */
export const secretOf = name => {
  if (!names.includes(name)) throw new Error(`there is no secret ${name}; there is ${names.join(', ')}`)
  const file = join(techcorpHome(), name)
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  mkdirSync(techcorpHome(), { recursive: true, mode: 0o700 })
  createOnce(file, randomBytes(32).toString('base64url'))
  return readFileSync(file, 'utf8')
}
