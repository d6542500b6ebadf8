import { environment, local, release, service } from 'release-as-code'

const auth = service('auth-service')
const order = service('order-service', { needs: [auth] })
const services = [auth, order]
const staging = environment('staging', { on: local() })

export default release('phoenix', { version: '3.0.0', components: [auth] })
  // wrong
  .stage('staging', s => s.deploy([auth, order], { to: staging }))
  // wrong
  .stage('again', s => s.deploy([order], { to: staging }))
  // wrong
  .stage('more', s => s.deploy(services, { to: staging }))
