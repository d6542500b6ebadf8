import { param, release } from 'release-as-code'

const pace = param('pace', { choices: ['quick', 'real'] })

export default release('phoenix', { version: '3.0.0', params: [pace] })
  .stage('build', s => s
    // wrong
    .step('image', ({ params }) => params.paces)
    // wrong
    .step('slow', ({ params }) => params.pace === 'slow'))
