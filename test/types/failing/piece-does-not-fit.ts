import { release, type Shape, type Stage } from 'release-as-code'

const signed = (s: Stage<Shape, { image: { digest: string } }>) =>
  s.step('signature', ({ outputs }) => outputs.image.digest)
const paced = (s: Stage<Shape<string, { pace: string }>>) => s.step('paced', ({ params }) => params.pace)

export default release('phoenix', { version: '3.0.0' })
  .stage('build', s => s
    // wrong
    .use(signed))
  .stage('image', s => s
    .step('image', () => 'sha256:1')
    // wrong
    .use(signed))
  .stage('again', s => s
    .step('signature', () => 'none')
    // wrong
    .use((part: Stage) => part.step('signature', () => 'mine')))
  .stage('pace', s => s
    // wrong
    .use(paced))
