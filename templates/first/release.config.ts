/**
 * A first release: one service, brought to two environments of this machine.
 *
 *   release plan     what would be done
 *   release run      do it (say --yes where nobody can be asked)
 *   release local status
 */
import { command, environment, http, local, param, release, rolling, service } from 'release-as-code'

const version = param('version', { default: '1.0.0', help: 'what is released' })

const hello = service('hello', { source: 'services/{name}', critical: true, instances: 2 })

const staging = environment('staging', { on: local() })
const production = environment('production', { on: local(), protect: true })

export default release('first', { version, components: [hello], params: [version] })
  .stage('preflight', s => s.gate('syntax', command('node --check services/hello/server.js').passes()))
  .stage('staging', s =>
    s
      .deploy([hello], { to: staging, with: rolling({ batch: 1 }) })
      .gate('says hello', http({ component: hello, in: staging, path: '/' }).answers(200)),
  )
  .stage('production', s => s.deploy([hello], { to: production, with: rolling({ batch: 1 }) }))
  .onFailure('rollback-all')
