/**
 * zx's shell can stand where steps expect theirs: this file compiles without an error.
 */
import type { Shell } from 'release-as-code'
import type { Shell as ZxShell } from 'zx'

export const fits = (shell: ZxShell): Shell => shell
