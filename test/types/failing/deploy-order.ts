import { environment, local, release, service } from 'release-as-code'

const auth = service('auth-service')
const staging = environment('staging', { on: local() })

export default release('phoenix', { version: '3.0.0', components: [auth] })
  // wrong
  .stage('staging', s => s.deploy([auth], { to: staging, order: 'alphabetical' }))
