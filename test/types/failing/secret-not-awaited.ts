import { release, secret } from 'release-as-code'

export default release('phoenix', { version: '3.0.0', secrets: [secret('TOKEN')] })
  .stage('build', s => s
    .step('image', async ({ $, secrets }) => {
      // wrong
      await $`npm run image -- ${secrets.TOKEN()}`
      // wrong
      await $({ env: { TOKEN: secrets.TOKEN } })`npm run image`
    }))
