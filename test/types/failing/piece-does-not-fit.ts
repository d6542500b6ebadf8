import { type Output, param, release, type Shape, type Stage } from 'release-as-code'

const signed = (s: Stage<Shape, Output<'image', { digest: string }>>) =>
  s.step('signature', ({ outputs }) => outputs.image.digest)
const pace = param('pace')
const paced = (s: Stage<Shape<string, typeof pace>>) => s.step('paced', ({ params }) => params.pace)

export default release('phoenix', { version: '3.0.0' })
  .stage('build', s => s
    // wrong
    .use(signed))
  .stage('image', s => s
    .step('image', () => 'sha256:1')
    // wrong
    .use(signed))

export const another = release('phoenix', { version: '3.0.0' })
  .stage('again', s => s
    .step('signature', () => 'none')
    // wrong
    .use((part: Stage) => part.step('signature', () => 'mine')))
  .stage('pace', s => s
    // wrong
    .use(paced))
