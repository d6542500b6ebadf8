/**
 * Who acts: the person at this machine, as far as it can be known without asking.
 */
import { execFileSync } from 'node:child_process'
import { hostname, userInfo } from 'node:os'
import type { Holder } from '../src/run/ports.ts'

/** RELEASE_USER, else git's e-mail address, else user and host: `alice@techcorp.example`. */
export function whoami(env: NodeJS.ProcessEnv, cwd: string): string {
  const named = env.RELEASE_USER?.trim()
  return named || gitAddress(cwd) || `${userName()}@${hostname()}`
}

function gitAddress(cwd: string): string | null {
  try {
    const address = execFileSync('git', ['config', 'user.email'], {
      cwd,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return address.toString().trim() || null
  } catch {
    return null
  }
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}

export const holderOf = (run: string, who: string, cwd: string): Holder => ({
  run,
  who,
  host: hostname(),
  pid: process.pid,
  cwd,
  since: Date.now(),
})
