/**
 * How the small services of tests get hold of node:http.
 *
 * An `import` asks a built-in module for all its names, and among those of node:http are some that load undici first:
 * that doubles the time in which a service is up, and hundreds of them are started.
 */
export const QUICK_HTTP = `const { createServer, request: ask } = process.getBuiltinModule('node:http')`
