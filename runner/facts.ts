/**
 * What the world says before a plan is made: the folders to deploy, what runs now, who may approve.
 *
 * Reads only. What could not be read is a finding with the place in the definition that asked for it.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type ParsedApprovers, parseApprovers } from '../src/compile/approvers.ts'
import type { CompileFacts, ResolvedRelease } from '../src/compile/compile.ts'
import type { ResolvedComponent } from '../src/compile/components.ts'
import type { ComponentFact } from '../src/compile/deploy.ts'
import type { ReleaseModel } from '../src/definition/model.ts'
import { type Diagnostic, hasErrors, type Span } from '../src/diagnostic.ts'
import { isReleaseError } from '../src/errors.ts'
import type { LiveFact, PlanPlatform, Sha256 } from '../src/plan/plan.ts'
import type { Platform } from '../src/run/ports.ts'
import { sha256OfPieces } from './load/fingerprint.ts'
import type { Project } from './load/project.ts'

export interface FactSources {
  readonly project: Project
  readonly bundle: Sha256
  readonly platform: (platform: PlanPlatform) => Promise<Platform>
}

export async function readFacts(resolved: ResolvedRelease, sources: FactSources): Promise<CompileFacts> {
  // Each has findings of its own: told in this order, whichever is read first.
  const [components, live, approvers] = await Promise.all([
    readComponents(resolved, sources),
    readLive(resolved, sources),
    readApprovers(resolved, sources.project),
  ])
  return {
    bundle: sources.bundle,
    components: components.facts,
    live,
    approvers: approvers.approvers,
    diagnostics: [...components.diagnostics, ...approvers.diagnostics],
    sha256: sha256OfPieces,
  }
}

async function readComponents(
  resolved: ResolvedRelease,
  sources: FactSources,
): Promise<{ facts: ReadonlyMap<string, ComponentFact>; diagnostics: readonly Diagnostic[] }> {
  const deployed = new Set(resolved.targets.map(target => target.component))
  const read = await Promise.all(
    resolved.components
      .filter(component => deployed.has(component.name))
      .map(async component => [component.name, await readComponent(component, resolved, sources)] as const),
  )
  const facts = new Map<string, ComponentFact>()
  const diagnostics: Diagnostic[] = []
  for (const [name, fact] of read) {
    if ('digest' in fact) facts.set(name, fact)
    else diagnostics.push(fact)
  }
  return { facts, diagnostics }
}

async function readComponent(
  component: ResolvedComponent,
  resolved: ResolvedRelease,
  sources: FactSources,
): Promise<ComponentFact | Diagnostic> {
  const { project } = sources
  const span = resolved.context.span(component.model.at)
  const problem = (code: string, message: string, hint: string): Diagnostic => ({
    code,
    severity: 'error',
    message,
    hint,
    ...(span === undefined ? {} : { span }),
  })
  const { folder: source, tried } = await sourceOf(component, project)
  if (source === null) {
    return problem(
      'source-missing',
      `${component.name} has no folder to deploy: looked for ${tried.map(project.relative).join(' and ')}`,
      `Put its files there, or say where they are: source: 'path/to/${component.name}'.`,
    )
  }
  try {
    const environment = resolved.environments[0]!
    const platform = await sources.platform({
      kind: environment.on.kind,
      cluster: environment.on.cluster ?? resolved.model.name,
    })
    const start = component.model.start === null ? await startScript(source) : null
    return { source: project.relative(source), digest: await platform.digest(source), start }
  } catch (error) {
    if (!isReleaseError(error)) throw error
    return problem(error.code, `${component.name}: ${error.message}`, error.hint ?? '')
  }
}

/** Where a component's files are: what it says itself, or the platform's convention. */
async function sourceOf(
  { model, name, version }: ResolvedComponent,
  project: Project,
): Promise<{ readonly folder: string | null; readonly tried: readonly string[] }> {
  if (model.source !== null) {
    const said = model.source.replaceAll('{name}', name).replaceAll('{version}', version)
    const folder = resolve(dirname(project.definition), said)
    return { folder: existsSync(folder) ? folder : null, tried: [folder] }
  }
  const { localSource } = await import('./adapters/platforms/local/source.ts')
  return localSource(project.definition, name, version)
}

async function readLive(resolved: ResolvedRelease, sources: FactSources): Promise<CompileFacts['live']> {
  // A region is a place of its own, under its own name.
  const sites = new Map(resolved.sites.map(site => [site.name, site.environment]))
  const read = await Promise.all(
    resolved.targets.map(async ({ environment, component }) => {
      const { on } = sites.get(environment)!
      const cluster = on.cluster ?? resolved.model.name
      const platform = await sources.platform({ kind: on.kind, cluster })
      return { environment, component, fact: await platform.live(environment, component) }
    }),
  )
  // In the order of the targets, not of the answers: one plan is one text.
  const live: Record<string, Record<string, LiveFact | null>> = {}
  for (const { environment, component, fact } of read) {
    live[environment] ??= {}
    live[environment][component] = fact
  }
  return live
}

interface ReadApprovers {
  readonly approvers: CompileFacts['approvers']
  readonly diagnostics: readonly Diagnostic[]
}

async function readApprovers({ model, context }: ResolvedRelease, project: Project): Promise<ReadApprovers> {
  if (model.approvers === null) return { approvers: null, diagnostics: [] }
  const span = context.span(model.at)
  const at = span === undefined ? {} : { span }
  if (typeof model.approvers !== 'string') return approversByRole(model.approvers, at)
  const path = resolve(dirname(project.definition), model.approvers)
  const file = project.relative(path)
  try {
    return known(parseApprovers(await readFile(path, 'utf8'), { file }))
  } catch (error) {
    const unreadable: Diagnostic = {
      ...at,
      code: 'approvers-unreadable',
      severity: 'error',
      message: `the approvers file ${file} could not be read: ${(error as Error).message}`,
      hint: "It is an SSH allowed-signers file: a line for each person, 'alice@example.org ssh-ed25519 AAAA… roles=release-manager'.",
    }
    return { approvers: 'unknown', diagnostics: [unreadable] }
  }
}

const known = ({ approvers, diagnostics }: ParsedApprovers): ReadApprovers => ({
  approvers: hasErrors(diagnostics) ? 'unknown' : approvers,
  diagnostics,
})

/** People who stand in the definition are judged as strictly as those in a file, and found where the release is. */
function approversByRole(
  byRole: Exclude<ReleaseModel['approvers'], string | null>,
  at: { readonly span?: Span },
): ReadApprovers {
  const lines = Object.entries(byRole).flatMap(([role, people]) =>
    people.map(({ person, key }) => `${person} ${key.split(/\s+/).slice(0, 2).join(' ')} roles=${role}`),
  )
  const parsed = parseApprovers(lines.join('\n'), { file: '' })
  const diagnostics = parsed.diagnostics.map(({ span: _, related: __, ...finding }) => ({
    ...finding,
    ...at,
  }))
  return known({ ...parsed, diagnostics })
}

async function startScript(source: string): Promise<readonly string[]> {
  const { startScript: read } = await import('./adapters/platforms/local/source.ts')
  return read(source)
}
