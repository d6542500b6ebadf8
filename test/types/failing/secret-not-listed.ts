import { release, secret } from 'release-as-code'

export default release('phoenix', { version: '3.0.0', secrets: [secret('TOKEN')] })
  .stage('build', s => s
    .step('image', async ({ secrets }) => {
      await secrets.TOKEN()
      // wrong
      await secrets.TOKENS()
    }))
