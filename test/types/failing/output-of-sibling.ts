import { release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  .stage('build', s => s
    .step('commit', () => 'a1b2')
    .parallel(p => p
      .step('api', () => 'sha256:1')
      // wrong
      .step('web', ({ outputs }) => `${outputs.commit} ${outputs.api}`)))
