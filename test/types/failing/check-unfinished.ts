import { command, coverage, http, release } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  .stage('preflight', s => s
    // wrong
    .gate('tests', coverage('npm test'))
    // wrong
    .gate('scan', command('npm run scan'))
    // wrong
    .gate('up', http('https://techcorp.example/health'))
    // wrong
    .gate('freeze', () => 'over'))
