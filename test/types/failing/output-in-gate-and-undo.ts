import { release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  .stage('build', s => s
    // wrong
    .gate('size', ({ outputs }) => outputs.size < 100)
    .step('size', () => 10, {
      // wrong
      undo: ({ outputs, log }) => log(`${outputs.size}`),
      // wrong
      observe: () => 'ten',
    }))
