import { release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  .stage('go-live', s => s
    // wrong
    .approval('go live', { from: {} })
    // wrong
    .approval('go on', {})
    // wrong
    .approval('go away', { from: ['release-manager'] }))
