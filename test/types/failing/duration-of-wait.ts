import { param, release } from 'release-as-code'

const pace = param('pace', { choices: ['quick', 'real'] })
const count = param('count', { default: 5 })
const text: string = '10m'

export default release('phoenix', { version: '3.0.0' })
  .stage('settle', s => s
    // wrong
    .wait('10 minutes')
    // wrong
    .wait('10')
    // wrong
    .wait('10 m')
    // wrong
    .wait('-1s')
    // wrong
    .wait(text)
    // wrong
    .wait(count)
    // wrong
    .wait(pace.pick({ quick: '1s', real: 'half an hour' })))
