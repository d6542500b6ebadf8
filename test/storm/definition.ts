/**
 * The release of a case as a team would have written it. Whatever it does is written down outside of the state:
 *
 *     effects.log   `do NAME BY AT` when an effect begins, `did NAME BY AT` when it is complete, `undo NAME BY AT` when
 *                   it is taken back. BY is the runner's fencing token, or a command's process id; AT milliseconds since 1970.
 *     starts.log    `NAME SLOT` for each instance that was started
 */

import { QUICK_HTTP } from '../rig/quick-http.ts'
import type { ComponentPlan, GatePlan, ItemPlan, StagePlan, StepPlan, StormCase } from './weather.ts'

export const CLUSTER = 'storm'
export const ENVIRONMENT = 'target'

const PRELUDE = `import {
  allAtOnce, command, environment, local, release, rolling, service,
} from 'release-as-code'

const files = async () => await import('node:fs')
const write = async (text: string) => (await files()).appendFileSync('effects.log', text)
const line = (word: string, name: string, by: number) => word + ' ' + name + ' ' + by + ' ' + Date.now() + '\\n'
const lines = async (start: string) => {
  const { existsSync, readFileSync } = await files()
  if (!existsSync('effects.log')) return []
  return readFileSync('effects.log', 'utf8').split('\\n').filter(text => text.startsWith(start + ' '))
}
const toil = async (blocks: number) => {
  const { createHash } = await import('node:crypto')
  const block = 'x'.repeat(65_536)
  let hash = ''
  for (let left = blocks; left > 0; left -= 1) {
    hash = createHash('sha256').update(hash).update(block).digest('hex')
    if (left % 8 === 0) await new Promise(resolve => setImmediate(resolve))
  }
}
/** All at once: a runner that dies has done it, or has not. */
const once = (name: string, by: number) => write(line('do', name, by) + line('did', name, by))
const isDone = async (name: string) => (await lines('did ' + name)).length > 0 ? 'done' : undefined
`

/** The files of the case's project in the folder `root`. */
export function filesOf(kase: StormCase, root: string): Readonly<Record<string, string>> {
  const components = componentsOf(kase)
  const files: Record<string, string> = { 'release.config.ts': definitionOf(kase, components, root) }
  for (const component of components) {
    const folder = `release.config/${component.name}`
    files[`${folder}/package.json`] =
      `{ "name": "${component.name}", "version": "2.0.0", "type": "module", "scripts": { "start": "node server.js" } }\n`
    files[`${folder}/server.js`] = serverOf(component)
  }
  return files
}

export const componentsOf = ({ stages }: StormCase): readonly ComponentPlan[] =>
  stages.flatMap(({ items }) => items).flatMap(item => (item.kind === 'deploy' ? item.components : []))

function definitionOf(kase: StormCase, components: readonly ComponentPlan[], root: string): string {
  const names = components.map(component => component.name).join(', ')
  return [
    PRELUDE,
    ...components.map(component => declared(component, root)),
    `const target = environment('${ENVIRONMENT}', { on: local({ cluster: '${CLUSTER}' }) })`,
    `export const unused = [allAtOnce, command, rolling, service, target, toil, once, isDone]`,
    `export default release('storm', { version: '2.0.0', components: [${names}], concurrency: ${kase.concurrency} })`,
    ...kase.stages.map(stageOf),
    `  .onFailure('${kase.policy}')`,
    '',
  ].join('\n')
}

const declared = ({ name, critical, instances, needs }: ComponentPlan, root: string): string =>
  `const ${name} = service('${name}', { critical: ${critical}, instances: ${instances}, needs: [${needs.join(', ')}], env: { PROJECT: '${root}' }, health: { timeout: '30s', interval: '50ms' } })`

function stageOf({ name, after, policy, items }: StagePlan): string {
  const options = [
    ...(after === null ? [] : [`after: [${after.map(quoted).join(', ')}]`]),
    ...(policy === null ? [] : [`onFailure: '${policy}'`]),
  ]
  const first = options.length === 0 ? '' : `{ ${options.join(', ')} }, `
  return `  .stage('${name}', ${first}s => s${items.map(item => itemOf(item, '    ')).join('')})`
}

function itemOf(item: ItemPlan, indent: string): string {
  switch (item.kind) {
    case 'step':
      return `\n${indent}${stepOf(item)}`
    case 'gate':
      return `\n${indent}${gateOf(item)}`
    case 'wait':
      return `\n${indent}.wait('${item.milliseconds}ms')`
    case 'deploy': {
      const names = item.components.map(component => component.name).join(', ')
      return `\n${indent}.deploy([${names}], { to: target, with: rolling({ batch: 1 }) })`
    }
    case 'parallel': {
      const inner = `${indent}    `
      const branches = item.branches.map(
        items => `\n${indent}  .sequence(q => q${items.map(one => itemOf(one, inner)).join('')})`,
      )
      return `\n${indent}.parallel(p => p${branches.join('')})`
    }
  }
}

function gateOf({ name, required, passes, toil }: GatePlan): string {
  const note = (word: string): string => `echo ${word} ${name} $$ $(date +%s%3N) >> effects.log`
  const script = `${note('do')}; head -c ${toil * 65_536} /dev/zero | sha256sum; ${note('did')}; ${passes ? 'true' : 'exit 1'}`
  return `.gate('${name}', command(['sh', '-c', ${quoted(script)}]).passes(), { required: ${required} })`
}

function stepOf(step: StepPlan): string {
  const undo =
    step.undo === 'step'
      ? `async ({ fence }) => { await toil(${step.toil >> 2}); await write(line('undo', '${step.name}', fence)) }`
      : quoted(step.undo)
  const more = {
    idempotent: `, idempotent: true${step.ends === 'flaky' ? ", retry: { limit: 1, delay: '10ms' }" : ''}`,
    observable: `, observe: () => isDone('${step.name}')`,
    blind: '',
  }
  return `.step('${step.name}', async ({ fence, $ }) => { ${bodyOf(step)} return 'done' }, { undo: ${undo}${more[step.redo]} })`
}

function bodyOf({ name, redo, ends, toil, shell }: StepPlan): string {
  const fail = `if (Date.now() > 0) throw new Error('${name} fails'); `
  if (redo !== 'idempotent') {
    const effect = ends === 'fails' ? '' : `await once('${name}', fence); `
    return `void $; await toil(${toil}); ${effect}${ends === 'well' ? '' : fail}`
  }
  const work = shell
    ? `await $\`sh -c \${'head -c ${toil * 65_536} /dev/zero | sha256sum'}\`; `
    : `void $; await toil(${toil}); `
  const flaky = `if ((await lines('do ${name}')).length < 2) throw new Error('not yet'); `
  return [
    `await write(line('do', '${name}', fence)); `,
    work,
    ends === 'flaky' ? flaky : ends === 'fails' ? fail : '',
    `await write(line('did', '${name}', fence)); `,
    ends === 'half' ? fail : '',
  ].join('')
}

const serverOf = ({ name, broken }: ComponentPlan): string => `
import { appendFileSync } from 'node:fs'
${QUICK_HTTP}

const { PROJECT, PORT, HOST, RELEASE_SLOT } = process.env
appendFileSync(PROJECT + '/starts.log', '${name} ' + RELEASE_SLOT + '\\n')
${broken ? 'process.exit(1)' : ''}
const server = createServer((request, response) => response.end('2.0.0'))
server.listen(Number(PORT), HOST)
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections() })
`

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
