import { release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  // wrong
  .stage('staging', { after: ['preflight'] }, s => s.wait('1s'))
