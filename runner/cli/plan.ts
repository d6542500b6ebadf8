import { resolve } from 'node:path'
import { InputError } from '../../src/errors.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { isLarge, planPieces, planText } from '../../src/plan/render/json.ts'
import { readPlanFile } from '../plan-file.ts'
import { requirePlan } from '../plan-release.ts'
import { type Command, type Invocation, wrong } from './command.ts'
import type { Io } from './io.ts'
import { answerWith, findingsText, PLAN_OPTIONS, planRequest } from './planning.ts'

const FORMATS = ['text', 'json', 'mermaid', 'dot', 'svg', 'html'] as const
type Format = (typeof FORMATS)[number]

/** `release plan`: what would be done. Exit 0, or 2 where there is no plan. */
export const plan: Command = {
  name: 'plan',
  usage: '[FILE]',
  summary: 'Shows what a release would do, or with --against what is different from an older plan.',
  example: 'release plan releases/phoenix.ts --format html --out plan.html',
  options: {
    ...PLAN_OPTIONS,
    format: { value: 'FORMAT', help: `${FORMATS.join(', ')} (text)` },
    out: { value: 'FILE', help: 'write it there instead of to stdout' },
    against: { value: 'PLAN', help: 'an older plan as JSON: say what is added, removed and changed' },
  },
  takes: [0, 1],
  run: async (invocation, io) => {
    const format = readFormat(invocation, io)
    const request = await planRequest(invocation, io)
    const planned = await requirePlan(request)
    const { plan: made } = planned
    const err = await findingsText(planned.diagnostics, request, io)
    const against = invocation.text('against')
    const text =
      against === undefined
        ? await renderPlan(made, format, io)
        : await renderAgainst(await readPlanFile(resolve(io.cwd, against)), made, format, io)
    const out = invocation.text('out')
    const to = out === undefined ? { out: text } : { file: { path: resolve(io.cwd, out), text } }
    // The older plan is a file as any other, and not among those that an answer is known to rest on.
    const asked = against === undefined ? io : { ...io, question: null }
    return answerWith({ err, ...to, code: 0, request, planned }, invocation, asked)
  },
}

function readFormat(invocation: Invocation, io: Io): Format {
  const format = invocation.text('format') ?? (io.json ? 'json' : 'text')
  if ((FORMATS as readonly string[]).includes(format)) return format as Format
  throw new InputError([
    wrong('format', `--format ${format}: there is no such format`, `There are ${FORMATS.join(', ')}.`),
  ])
}

async function renderPlan(made: Plan, format: Format, io: Io): Promise<string | Iterable<string>> {
  switch (format) {
    case 'json':
      return isLarge(made) ? planPieces(made) : planText(made)
    case 'mermaid':
      return (await import('../../src/plan/render/mermaid.ts')).renderMermaid(made)
    case 'dot':
      return (await import('../../src/plan/render/dot.ts')).renderDot(made)
    case 'svg':
      return (await import('../../src/plan/render/svg.ts')).renderSvg(made)
    case 'html':
      return (await import('../../src/plan/render/plan-html.ts')).renderPlanHtml(made)
    case 'text': {
      const { renderText } = await import('../../src/plan/render/text.ts')
      return renderText(made, { color: io.color.stdout, width: io.stdout.columns ?? 100 })
    }
  }
}

async function renderAgainst(older: Plan, newer: Plan, format: Format, io: Io): Promise<string> {
  const { diffPlans } = await import('../../src/plan/diff.ts')
  const diff = diffPlans(older, newer)
  if (format === 'json') return `${JSON.stringify(diff, null, 2)}\n`
  if (format !== 'text') {
    throw new InputError([
      wrong('format', `--against cannot be drawn as ${format}`, 'Take --format text or --format json.'),
    ])
  }
  const { renderDiff } = await import('../../src/plan/render/diff-text.ts')
  return renderDiff(diff, { color: io.color.stdout })
}
