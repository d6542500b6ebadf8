import { release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  .stage('build', s => s
    .step('image', () => 'sha256:1')
    // wrong
    .step('image', () => 'sha256:2'))
  // wrong
  .stage('again', { after: [] }, s => s.step('image', () => 'sha256:3'))
  .stage('beside', s => s
    .parallel(p => p
      .step('one', () => 1)
      // wrong
      .step('one', () => 2)))
