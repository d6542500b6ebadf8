/** Whether HAProxy is here to be tested with. */
import { findProgram } from '../../runner/adapters/routers/haproxy/program.ts'

/** Why the tests that need HAProxy cannot run here; null where they can. */
export const haproxyMissing = (): Promise<string | null> =>
  findProgram('haproxy').then(
    () => null,
    () => 'haproxy is not installed, or too old (test/toolchain/install-debian.sh haproxy)',
  )
