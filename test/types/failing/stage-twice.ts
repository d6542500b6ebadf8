import { release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  .stage('preflight', s => s.wait('1s'))
  // wrong
  .stage('preflight', s => s.wait('1s'))
  .stage('staging', s => s.wait('1s'))
  // wrong
  .stage('staging', { onFailure: 'stop' }, s => s.wait('1s'))
