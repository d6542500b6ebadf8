import { command, release, rolling, service } from 'release-as-code'

export const auth = service('auth-service', {
  // wrong
  health: { timeout: '30 seconds' },
})
export const strategy = rolling({
  // wrong
  progressDeadline: '5min',
})

export default release('phoenix', { version: '3.0.0' })
  .stage('preflight', s => s
    // wrong
    .gate('tests', command('npm test').passes(), { timeout: '10 minutes' })
    // wrong
    .gate('scan', command('npm run scan').passes(), { timeout: '10m', retry: { limit: 2, delay: '5' } })
    // wrong
    .approval('go live', { from: { 'release-manager': 1 }, expires: '3 days' })
    // wrong
    .step('image', () => 'sha256:1', { timeout: 'long' }))
