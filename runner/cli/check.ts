import { planRelease } from '../plan-release.ts'
import type { Command } from './command.ts'
import { printed } from './io.ts'
import { answerWith, PLAN_OPTIONS, planRequest } from './planning.ts'

/** `release check`: everything that is wrong with a definition, at once. Exit 0, or 2 where anything is an error. */
export const check: Command = {
  name: 'check',
  usage: '[FILE]',
  summary: 'Says everything that is wrong with a definition: types, names, graph, safety.',
  example: 'release check releases/phoenix.ts',
  options: PLAN_OPTIONS,
  takes: [0, 1],
  run: async (invocation, io) => {
    const request = await planRequest(invocation, io)
    const { project } = request
    const planned = await planRelease(request)
    const { diagnostics, plan } = planned
    const { renderDiagnostics } = await import('../load/code-frame.ts')
    const errors = diagnostics.filter(d => d.severity === 'error').length
    const warnings = diagnostics.length - errors
    const frames = renderDiagnostics(diagnostics, { root: project.root, color: io.color.stdout })
    const sum = `${errors} errors, ${warnings} warnings in ${project.relative(project.definition)}`
    const size = plan === null ? '' : `; ${plan.stages.length} stages, ${plan.nodes.length} nodes`
    const out = printed(io, {
      json: { ok: errors === 0, errors, warnings, diagnostics, plan: plan?.hash ?? null },
      text: `${frames}${frames === '' ? '' : '\n\n'}${sum}${size}`,
    })
    return answerWith({ out, code: errors === 0 ? 0 : 2, request, planned }, invocation, io)
  },
}
