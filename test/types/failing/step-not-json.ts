import { release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  .stage('build', s => s
    // wrong
    .step('built at', () => new Date(0))
    // wrong
    .step('sizes', async () => ({ sizes: new Map([['api', 10]]) }))
    // wrong
    .step('smoke', ({ $ }) => $`npm run smoke`))
