/**
 * A release like Phoenix whose every effect is counted, and which needs no platform: what a crash can do to a
 * run shows in a few files.
 *
 *     effects.log     a line each time something is done: `build`, `undo build`
 *     published.log   a line for what must be done once and only once; `observe` looks here
 *     image, summary.json, shards/…   what is left behind in the end
 */
import { createProject, type TestProject } from './project.ts'

const definition = `import { command, param, release } from 'release-as-code'

const fail = param('fail', { choices: ['no', 'yes'], default: 'no', help: 'whether the last step fails' })

const files = async () => (await import('node:fs'))
const count = async (line: string) => (await files()).appendFileSync('effects.log', line + '\\n')
/** Whole or not at all, and the same however often it is done. */
const put = async (path: string, text: string) => {
  const { renameSync, writeFileSync } = await files()
  writeFileSync(path + '.new', text)
  renameSync(path + '.new', path)
}
const published = async () => {
  const { existsSync, readFileSync } = await files()
  return existsSync('published.log') ? readFileSync('published.log', 'utf8').trim().split('\\n') : []
}

export default release('counted', { version: '3.0.0', params: [fail], concurrency: 3 })
  .stage('preflight', s => s
    .parallel(p => p
      .gate('lint', command(['sh', '-c', 'echo gate lint >> effects.log']).passes())
      .gate('audit', command(['sh', '-c', 'echo gate audit >> effects.log; exit 1']).passes(), { required: false })))
  .stage('build', s => s
    .step('image', async () => {
      await count('image')
      await put('image', 'image of 3.0.0')
      return { digest: 'sha256:1234' }
    }, { idempotent: true, undo: async () => { await count('undo image'); (await files()).rmSync('image', { force: true }) } })
    .parallel(p => p
      .step('flaky', async () => {
        const { existsSync } = await files()
        await count('flaky')
        if (!existsSync('failed-once')) {
          await put('failed-once', '')
          throw new Error('not yet')
        }
        return 'in the end'
      }, { idempotent: true, undo: 'not-needed', retry: { limit: 1, delay: '20ms' } })
      .step('shards', async ({ $ }) => {
        await $\`mkdir -p shards\`
        for (const name of ['a', 'b']) await $\`sh -c \${'echo shard >> effects.log; echo ' + name + ' > shards/' + name}\`
        return ['a', 'b']
      }, { idempotent: true, undo: async ({ $ }) => { await count('undo shards'); await $\`rm -rf shards\` } })))
  .stage('settle', s => s.wait('30ms'))
  APPROVAL
  .stage('publish', s => s
    .step('publish', async ({ outputs }) => {
      const { appendFileSync } = await files()
      appendFileSync('published.log', outputs.image.digest + '\\n')
      return { published: outputs.image.digest }
    }, {
      observe: async ({ outputs }) =>
        (await published()).includes(outputs.image.digest) ? { published: outputs.image.digest } : undefined,
      undo: async () => { await count('undo publish'); (await files()).rmSync('published.log', { force: true }) },
    })
    .step('summary', async ({ outputs, params }) => {
      await count('summary')
      if (params.fail === 'yes') throw new Error('the summary was asked to fail')
      await put('summary.json', JSON.stringify({ published: outputs.publish.published, shards: outputs.shards, flaky: outputs.flaky }))
      return 3
    }, { idempotent: true, undo: async () => { await count('undo summary'); (await files()).rmSync('summary.json', { force: true }) } }))
  .onFailure('rollback-all')
`

const approval = ".stage('go-live', s => s.approval('go-live', { from: { lead: 1 } }))"

/** Makes the project; with `approval`, a lead has to approve before anything is published. */
export const countedProject = (options: { readonly approval: boolean }): TestProject =>
  createProject({
    files: { 'release.config.ts': definition.replace('APPROVAL', options.approval ? approval : '') },
  })

const TRACES = [
  'effects.log',
  'published.log',
  'image',
  'summary.json',
  'failed-once',
  'shards/a',
  'shards/b',
]

/** What the run has left in the project, but for how often it was done. */
export const endState = (project: TestProject): Readonly<Record<string, string>> =>
  Object.fromEntries(TRACES.filter(path => path !== 'effects.log').map(path => [path, project.read(path)]))

/** How often each effect was performed. */
export const effectsOf = (project: TestProject): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const line of project.lines('effects.log')) counts[line] = (counts[line] ?? 0) + 1
  return { ...counts, publish: project.lines('published.log').length }
}
