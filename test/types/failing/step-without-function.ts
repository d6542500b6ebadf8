import { release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  // wrong
  .stage('build', s => s.step('image', 'npm run image'))
