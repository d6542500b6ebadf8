import { release, type Stage } from 'release-as-code'

const maybe = (s: Stage) => (Math.max(1, 2) > 1 ? s : s.step('maybe', () => 1))

export default release('phoenix', { version: '3.0.0' })
  // wrong
  .stage('build', s => s.use(maybe))
