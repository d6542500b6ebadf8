/**
 * What an editor shows over the language's words; language.test.ts says which.
 */
import { environment, local, param, release, rolling, secret, service } from 'release-as-code'

const pace = param('pace', { choices: ['quick', 'real'], default: 'real' })
const auth = service('auth-service', { critical: true, instances: 2 })
const order = service('order-service', { needs: [auth.range('^3.0.0')] })
const staging = environment('staging', { on: local() })
const token = secret('TOKEN')
const waiting = pace.pick({ quick: '2s', real: '30m' })

const first = release('phoenix', {
  version: '3.0.0',
  components: [auth, order],
  params: [pace],
  secrets: [token],
})
const second = first
  .stage('build', s => s.step('image', async () => ({ digest: 'sha256:1' })))
  .stage('lint', { after: [] }, s => s.step('linted', () => true))
  .stage('staging', { after: ['build'] }, s =>
    s
      .deploy([auth, order], { to: staging, with: rolling({ batch: 1 }) })
      .parallel(p => p.step('one', () => 1).gate('two', ({ outputs }) => outputs.image.digest !== ''))
      .each(['api', 'web'], (s, item) => s.step(`build-${item}`, () => item))
      .wait(waiting)
      .step('read', ({ outputs, params, secrets, $ }) => [outputs.one, params.pace, secrets.TOKEN, $].length),
  )

export default second
