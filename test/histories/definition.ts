/**
 * The release whose runs are kept as histories, as its file's text.
 *
 * A history holds the bundle that it was made from, so that a change here changes no history that was made before.
 */
export const definitionText = (options: {
  readonly approvers: boolean
}): string => `import { command, param, release } from 'release-as-code'

const fail = param('fail', { choices: ['no', 'yes'], default: 'no', help: 'whether the last step fails' })

const did = async (line: string) => (await import('node:fs')).appendFileSync('effects.log', line + '\\n')
const done = async (line: string) => {
  const { existsSync, readFileSync } = await import('node:fs')
  return existsSync('effects.log') && readFileSync('effects.log', 'utf8').split('\\n').includes(line)
}

export default release('history', { version: '1.2.3', codename: 'Clio', params: [fail]${options.approvers ? ", approvers: 'approvers'" : ''} })
  .stage('build', s => s
    .parallel(p => p
      .gate('lint', command(['true']).passes())
      .gate('audit', command(['sh', '-c', 'echo two findings; exit 1']).passes(), { required: false }))
    .step('image', async ({ log }) => {
      await did('image')
      log('built')
      return { digest: 'sha256:1234' }
    }, { idempotent: true, undo: () => did('undo image') })
    .wait('10ms'))
  .stage('go-live', s => s.approval('go-live', { from: { lead: 1 } }))
  .stage('publish', s => s
    .step('publish', async ({ outputs }) => {
      await did('publish')
      return { published: outputs.image.digest }
    }, {
      observe: async ({ outputs }) => (await done('publish')) ? { published: outputs.image.digest } : undefined,
      undo: () => did('undo publish'),
    })
    .step('announce', () => did('announce'), { undo: 'none' })
    .step('summary', async ({ outputs, params }) => {
      await did('summary')
      if (params.fail === 'yes') throw new Error('the summary was asked to fail')
      return outputs.publish.published
    }, { idempotent: true, undo: () => did('undo summary') }))
  .onFailure('rollback-all')
`
