import { release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  .stage('build', s => s
    .step('commit', () => 'a1b2')
    // wrong
    .step('image', ({ outputs }) => outputs.digest)
    .step('digest', () => 'sha256:1'))
