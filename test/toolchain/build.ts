/**
 * Builds dist/: the command line and the language as JavaScript, and the language's types.
 *
 * Third-party packages stay outside the bundles: they are installed with ours, and loaded only when needed. Only
 * semver goes in, since every plan needs three of its functions, and they lie in forty files.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { type BuildOptions, build } from 'esbuild'

const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  dependencies: Record<string, string>
}
const external = Object.keys(dependencies).filter(name => name !== 'semver')
const common = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  external,
  outdir: 'dist',
  logLevel: 'warning',
} as const satisfies BuildOptions

rmSync('dist', { recursive: true, force: true })
await Promise.all([
  build({ ...common, format: 'esm', entryPoints: { release: 'runner/release.ts', index: 'src/index.ts' } }),
  build({
    ...common,
    format: 'cjs',
    entryPoints: {
      main: 'runner/main.ts',
      recall: 'runner/remembered/recall.ts',
      'gateway-process': 'runner/adapters/platforms/local/gateway-process.ts',
    },
    outExtension: { '.js': '.cjs' },
    define: { 'import.meta.url': 'ownUrl' },
    banner: { js: "const ownUrl = require('node:url').pathToFileURL(__filename).href" },
  }),
])
chmodSync('dist/release.js', 0o755)
copyFileSync('runner/adapters/commands/fork-server.pl', 'dist/fork-server.pl')
const tsc = 'node_modules/typescript/bin/tsc'
if (existsSync(tsc)) {
  execFileSync(process.execPath, [tsc, '-p', 'test/toolchain/tsconfig.types.json'], { stdio: 'inherit' })
}
