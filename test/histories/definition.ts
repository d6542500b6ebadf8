/**
 * The release whose runs are kept as histories, as its file's text.
 *
 * A history holds the bundle that it was made from, so that a change here changes no history that was made before.
 */
import { CLUSTER } from '../rig/canaried.ts'

export const definitionText = (options: {
  readonly approvers: boolean
}): string => `import { command, param, release } from 'release-as-code'

const fail = param('fail', { choices: ['no', 'yes'], default: 'no', help: 'whether the last step fails' })

const did = async (line: string) => (await import('node:fs')).appendFileSync('effects.log', line + '\\n')
const done = async (line: string) => {
  const { existsSync, readFileSync } = await import('node:fs')
  return existsSync('effects.log') && readFileSync('effects.log', 'utf8').split('\\n').includes(line)
}

export default release('history', { version: '1.2.3', codename: 'Clio', params: [fail]${options.approvers ? ", approvers: 'approvers'" : ''} })
  .stage('build', s => s
    .parallel(p => p
      .gate('lint', command(['true']).passes())
      .gate('audit', command(['sh', '-c', 'echo two findings; exit 1']).passes(), { required: false }))
    .step('image', async ({ log }) => {
      await did('image')
      log('built')
      return { digest: 'sha256:1234' }
    }, { idempotent: true, undo: () => did('undo image') })
    .wait('10ms'))
  .stage('go-live', s => s.approval('go-live', { from: { lead: 1 } }))
  .stage('publish', s => s
    .step('publish', async ({ outputs }) => {
      await did('publish')
      return { published: outputs.image.digest }
    }, {
      observe: async ({ outputs }) => (await done('publish')) ? { published: outputs.image.digest } : undefined,
      undo: () => did('undo publish'),
    })
    .step('announce', () => did('announce'), { undo: 'none' })
    .step('summary', async ({ outputs, params }) => {
      await did('summary')
      if (params.fail === 'yes') throw new Error('the summary was asked to fail')
      return outputs.publish.published
    }, { idempotent: true, undo: () => did('undo summary') }))
  .onFailure('rollback-all')
`

/** The version that runs before; {@link servedText} is released over it. */
export const OLD = '1.0.0'

/** A release of one service that answers, over an older one: `strategy` and `guard` as they are written. */
export const servedText = (options: {
  readonly strategy: string
  readonly guard?: string
}): string => `import { canary, command, environment, errorRate, local, param, release, rolling, service, trigger } from 'release-as-code'

const version = param('version', { default: '1.2.3', help: 'what is released' })
const front = service('front', { critical: true, instances: 2, health: { timeout: '20s', interval: '50ms' } })
const production = environment('production', { on: local({ cluster: '${CLUSTER}' }) })

export const kept = [canary, errorRate, rolling, trigger]
export default release('history', { version, codename: 'Clio', components: [front], params: [version] })
  .stage('build', s => s
    .gate('audit', command(['sh', '-c', 'echo two findings; exit 1']).passes(), { required: false }))
  .stage('production', s => s.deploy([front], { to: production, with: ${options.strategy} }))
  .onFailure('rollback-all')
  ${options.guard ?? ''}
`

/** Its files: a server that fails from the moment somebody asks it to, if it is the new one. */
export const servedFiles = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [OLD, '1.2.3'].flatMap(version => {
      const folder = `release.config/front/${version}`
      return [
        [
          `${folder}/package.json`,
          `{ "name": "front", "version": "${version}", "type": "module", "scripts": { "start": "node server.js" } }\n`,
        ],
        [`${folder}/server.js`, serverText(version)],
      ]
    }),
  )

const serverText = (version: string): string => `import { createServer } from 'node:http'
let broken = false
const server = createServer((incoming, outgoing) => {
  if (incoming.url.endsWith('/break')) broken = ${version !== OLD}
  outgoing.writeHead(broken && incoming.url !== '/health' ? 500 : 200).end('front ${version}')
})
server.listen(Number(process.env.PORT), process.env.HOST)
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections() })
`
