/**
 * Chromium, driven as a reader would: for tests of pages, and for the pictures of the README.
 *
 * Boundary: nothing is downloaded; the browser is Debian's own (test/toolchain/install-debian.sh chromium).
 */
import { accessSync, constants } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const PROGRAM = '/usr/bin/chromium'

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Why pages cannot be looked at here; null where they can. */
export function chromiumMissing(): string | null {
  try {
    accessSync(PROGRAM, constants.X_OK)
    return null
  } catch {
    return 'chromium is not installed (test/toolchain/install-debian.sh chromium)'
  }
}

/** Who starts it closes it. @throws Error where it does not start */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: PROGRAM, args: ARGUMENTS })
