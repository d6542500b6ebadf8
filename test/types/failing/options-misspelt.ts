import { command, environment, local, release, secret, slack } from 'release-as-code'

// wrong
export default release('phoenix', { version: '3.0.0', codname: 'Phoenix' })
  .stage('preflight', s => s
    // wrong
    .gate('tests', command('npm test').passes(), { requird: false })
    // wrong
    .step('image', () => 1, { idempotant: true })
    // wrong
    .notify(slack(secret('SLACK_WEBHOOK'), 'releases')))

// wrong
export const production = environment('production', { protect: true })
