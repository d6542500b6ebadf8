import { release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  .stage('build', s => s.step('image', () => ({ digest: 'sha256:1' })))
  .stage('lint', { after: [] }, s => s.step('linted', () => true))
  .stage('push', { after: ['lint'] }, s => s
    // wrong
    .step('pushed', ({ outputs }) => outputs.image.digest))
