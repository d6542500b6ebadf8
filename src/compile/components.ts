/**
 * Pass: the components, with their versions and groups.
 *
 * Reason: needs, ranges and groups are said once here, so that the lowering may rely on them.
 */
import satisfies from 'semver/functions/satisfies.js'
import valid from 'semver/functions/valid.js'
import validRange from 'semver/ranges/valid.js'
import type { ComponentModel, ReleaseModel } from '../definition/model.ts'
import { sortTopologically } from '../graph/graph.ts'
import type { EnvValue } from '../plan/plan.ts'
import { type CompileContext, isSecret } from './context.ts'

/** A component whose version and group are known; what the platform says of it is not yet. */
export interface ResolvedComponent {
  readonly model: ComponentModel
  readonly name: string
  readonly version: string
  readonly group: number
  readonly env: Readonly<Record<string, EnvValue>>
}

/** The release's version: a SemVer string, or '0.0.0' where it is none (which is reported). */
export function readVersion(model: ReleaseModel, context: CompileContext): string {
  const version = String(context.value(model.version))
  return checkVersion(version, { name: `the release's version`, at: model.at }, context)
}

function checkVersion(
  version: string,
  what: { readonly name: string; readonly at: ReleaseModel['at'] },
  context: CompileContext,
): string {
  const clean = valid(version)
  if (clean === version) return version
  context.report({
    code: 'not-a-version',
    message: `${what.name} is ${JSON.stringify(version)}, which is no SemVer version`,
    hint: clean === null ? "Write three numbers, as in '3.0.0'." : `Write '${clean}'.`,
    at: what.at,
  })
  return clean ?? '0.0.0'
}

/** Components by group and, within one, in the order of their needs: providers first. */
export function resolveComponents(
  model: ReleaseModel,
  releaseVersion: string,
  context: CompileContext,
): readonly ResolvedComponent[] {
  const held = uniqueComponents(model, context)
  const versions = new Map(
    held.map(component => [component.name, versionOf(component, releaseVersion, context)]),
  )
  for (const component of held) checkNeeds(component, versions, context)
  const order = orderByNeeds(held, context)
  const groups = new Map<string, number>()
  for (const component of order) groups.set(component.name, groupOf(component, groups, context))
  const resolved = order.map(component => ({
    model: component,
    name: component.name,
    version: versions.get(component.name)!,
    group: groups.get(component.name)!,
    env: resolveEnv(component, context),
  }))
  // A component that is pinned to a late group and needs nothing would otherwise come before the groups before its own.
  return resolved.sort((a, b) => a.group - b.group)
}

function uniqueComponents(model: ReleaseModel, context: CompileContext): ComponentModel[] {
  const byName = new Map<string, ComponentModel>()
  for (const component of model.components) {
    const first = byName.get(component.name)
    if (first === undefined) byName.set(component.name, component)
    else if (first !== component) {
      context.report({
        code: 'duplicate-component',
        message: `two components are named "${component.name}"`,
        hint: 'Rename one of them.',
        at: component.at,
        related: [{ message: 'the first one', at: first.at }],
      })
    }
  }
  return [...byName.values()]
}

const versionOf = (component: ComponentModel, release: string, context: CompileContext): string =>
  component.version === null
    ? release
    : checkVersion(
        String(context.value(component.version)),
        { name: `the version of ${component.name}`, at: component.at },
        context,
      )

function checkNeeds(
  component: ComponentModel,
  versions: ReadonlyMap<string, string>,
  context: CompileContext,
): void {
  for (const need of component.needs) {
    const version = versions.get(need.component.name)
    if (version === undefined) {
      context.report({
        code: 'need-not-held',
        message: `${component.name} needs ${need.component.name}, which the release does not hold`,
        hint: `Add ${need.component.name} to the release's components.`,
        at: need.at,
      })
      continue
    }
    checkRange(component, need, version, context)
    if (component.critical && !need.component.critical) {
      context.report({
        severity: 'warning',
        code: 'critical-needs-uncritical',
        message: `${component.name} is critical but needs ${need.component.name}, which is not: should that fail, ${component.name} is skipped and the release still ends as done in part`,
        hint: `Make ${need.component.name} critical too, if ${component.name} must not be left behind.`,
        at: need.at,
      })
    }
  }
}

function checkRange(
  component: ComponentModel,
  need: ComponentModel['needs'][number],
  version: string,
  context: CompileContext,
): void {
  if (need.range === null) return
  if (validRange(need.range) === null) {
    context.report({
      code: 'not-a-range',
      message: `${JSON.stringify(need.range)} is no SemVer range`,
      hint: "Write it as npm does: '^3.0.0', '>=2.9.0 <4.0.0'.",
      at: need.at,
    })
    return
  }
  if (satisfies(version, need.range, { includePrerelease: true })) return
  context.report({
    code: 'version-out-of-range',
    message: `${component.name} needs ${need.component.name} ${need.range}, but the release brings ${version}`,
    hint: `Release a version of ${need.component.name} that fits, or widen the range if ${version} is known to work.`,
    at: need.at,
    related: [{ message: `${need.component.name} is defined here`, at: need.component.at }],
  })
}

function orderByNeeds(held: readonly ComponentModel[], context: CompileContext): readonly ComponentModel[] {
  const byName = new Map(held.map(component => [component.name, component]))
  const sorted = sortTopologically(
    held.map(({ name, needs }) => ({
      key: name,
      needs: [...new Set(needs.map(need => need.component.name))].filter(need => byName.has(need)),
    })),
  )
  if (sorted.ok) return sorted.order.map(name => byName.get(name)!)
  const first = byName.get(sorted.cycle[0]!)!
  context.report({
    code: 'component-cycle',
    message: `components need each other in a circle: ${sorted.cycle.join(' → ')}`,
    hint: 'One of these needs has to go: which of them can start without the other?',
    at: first.at,
  })
  return held
}

function groupOf(
  component: ComponentModel,
  groups: ReadonlyMap<string, number>,
  context: CompileContext,
): number {
  const highest = Math.max(0, ...component.needs.map(need => groups.get(need.component.name) ?? 0))
  if (component.group === null) return highest + 1
  if (!Number.isInteger(component.group) || component.group < 1) {
    context.report({
      code: 'not-a-group',
      message: `the group of ${component.name} is ${component.group}; groups count from 1`,
      hint: 'Leave it out, and it follows from the needs.',
      at: component.at,
    })
    return highest + 1
  }
  if (component.group < highest) {
    context.report({
      code: 'group-before-need',
      message: `${component.name} is pinned to group ${component.group}, but needs something of group ${highest}`,
      hint: `Pin it to ${highest} or later, or leave the group out.`,
      at: component.at,
    })
  }
  return component.group
}

function resolveEnv(component: ComponentModel, context: CompileContext): Record<string, EnvValue> {
  return Object.fromEntries(
    Object.entries(component.env).map(([name, value]) => [
      name,
      isSecret(value) ? { secret: value.name } : { value: String(context.value(value)) },
    ]),
  )
}
