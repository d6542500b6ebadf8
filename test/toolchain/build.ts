/**
 * Builds dist/: the command line and the language as JavaScript, and the language's types.
 *
 * Third-party packages stay outside the bundles: they are installed with ours, and loaded only when needed.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { build } from 'esbuild'

rmSync('dist', { recursive: true, force: true })
await build({
  entryPoints: {
    release: 'runner/release.ts',
    index: 'src/index.ts',
    'gateway-process': 'runner/adapters/platforms/local/gateway-process.ts',
  },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  packages: 'external',
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  logLevel: 'warning',
})
chmodSync('dist/release.js', 0o755)
const tsc = 'node_modules/typescript/bin/tsc'
if (existsSync(tsc)) {
  execFileSync(process.execPath, [tsc, '-p', 'test/toolchain/tsconfig.types.json'], { stdio: 'inherit' })
}
