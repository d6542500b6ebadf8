import { release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  .stage('preflight', s => s.wait('1s'))
  // wrong
  .stage('staging', { after: ['preflight', 'production'] }, s => s.wait('1s'))
  .stage('production', s => s.wait('1s'))
