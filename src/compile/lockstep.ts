/**
 * Lowering of a deployment in lockstep: all components go through each phase together.
 *
 * All are started before the first is shifted, providers are shifted before what needs them, and nobody goes on before
 * everybody's analysis has passed. Since a rollback goes the other way, what needs a provider is taken back before it.
 */
import { type Course, courseOf } from './course.ts'
import type { Deployed, Lowering } from './lower.ts'
import { lowerBatches, lowerVerify, type Part, type SiteDeploy, siteBase } from './part.ts'
import type { Phase, Progressive } from './phases.ts'
import { approve, carry, finish, join, shift, startPhase, watch, watchAll } from './progressive.ts'
import type { SiteModel } from './regions.ts'

/** All parts through each phase together. */
export function lowerLockstep(
  lowering: Lowering,
  place: SiteDeploy,
  { parts, base }: { readonly parts: readonly Part[]; readonly base: string },
): readonly Deployed[] {
  const strategy = place.item.with as Progressive
  const course = courseOf(lowering, { ...place, strategy }, base)
  const fresh = parts.filter(part => !part.live)
  const moving = parts.filter(part => part.live)
  const running = new Map(moving.map(part => [part, { canaries: 0, baselines: 0 }]))
  // What is new has no traffic to divide: it is brought up first, for the others to find it.
  const brought: string[] = []
  for (const part of fresh) {
    const needs = fresh.flatMap((other, i) =>
      brought[i] !== undefined && isProvider(other, part) ? [brought[i]] : [],
    )
    brought.push(lowerBatches(lowering, course, part, { needs, after: [] }))
  }
  let gate: readonly string[] = [carryAll(lowering, course, moving), ...brought]
  let firstShifts: readonly string[] = []
  for (const phase of course.phases) {
    const phaseKey = `${base}/${phase.name}`
    const started = moving.map(part => {
      const one = startPhase(
        lowering,
        course,
        { part, phase, running: running.get(part)! },
        { needs: gate, after: [] },
      )
      running.set(part, one.running)
      return one
    })
    const ready = join(lowering, `${phaseKey}/ready`, 'all are started', [
      ...new Set(started.flatMap(({ needs }) => needs)),
    ])
    const shifts = shiftAll(lowering, course, { moving, phase, ready })
    if (firstShifts.length === 0) firstShifts = [...shifts.values()]
    const shifted = join(lowering, `${phaseKey}/shifted`, 'all are shifted', [...shifts.values()])
    const watched = moving.map(part => watch(lowering, course, { part, phase, name: phaseKey }, [shifted]))
    let end = join(lowering, `${phaseKey}/passed`, 'all have passed', [...new Set(watched)])
    if (phase.approval !== null) {
      end = approve(lowering, course, phase.approval, {
        base: phaseKey,
        where: `${phase.name} %`,
        needs: [end],
        part: null,
      })
    }
    gate = [end]
  }
  const background = moving.flatMap((part, i) =>
    watchAll(lowering, course, part, { from: firstShifts[i]!, until: gate[0]! }),
  )
  return finishAll(lowering, course, {
    parts,
    brought: new Map(fresh.map((part, i) => [part, brought[i]!])),
    needs: [...gate, ...background],
  })
}

/**
 * The side is written into every request before any weight rises, and until the last one has fallen: a call from a
 * component that is not shifted yet would otherwise be drawn anew at its provider, and meet both versions.
 */
function carryAll(lowering: Lowering, course: Course, moving: readonly Part[]): string {
  const keys = moving.map(part => carry(lowering, course, part, { needs: [part.prepare], after: [] }))
  return join(lowering, `${course.lockstep}/carried`, 'all carry the side', keys)
}

const isProvider = ({ component }: Part, part: Part): boolean =>
  part.component.model.needs.some(need => need.component.name === component.name)

/** A name for those that shift together: of the nodes that they share, and in each of their own. */
export function lockstepBase(lowering: Lowering, site: SiteModel): string {
  const base = `${siteBase(lowering, site)}/lockstep`
  let unique = base
  for (let n = 2; lowering.nodes.some(node => node.lockstep === unique); n += 1) unique = `${base}-${n}`
  return unique
}

/** Providers before what needs them. */
function shiftAll(
  lowering: Lowering,
  course: Course,
  { moving, phase, ready }: { moving: readonly Part[]; phase: Phase; ready: string },
): ReadonlyMap<string, string> {
  const shifts = new Map<string, string>()
  for (const part of moving) {
    const providers = part.component.model.needs.flatMap(need => shifts.get(need.component.name) ?? [])
    shifts.set(
      part.component.name,
      shift(lowering, course, part, phase, { needs: [ready, ...providers], after: [] }),
    )
  }
  return shifts
}

function finishAll(
  lowering: Lowering,
  course: Course,
  {
    parts,
    brought,
    needs,
  }: { parts: readonly Part[]; brought: ReadonlyMap<Part, string>; needs: readonly string[] },
): readonly Deployed[] {
  const promoted = new Map<string, string>()
  return parts.map(part => {
    const { name, model } = part.component
    const providers = model.needs.flatMap(need => promoted.get(need.component.name) ?? [])
    const last = brought.get(part) ?? finish(lowering, course, part, [...needs, ...providers])
    promoted.set(name, last)
    const verify = lowerVerify(lowering, course, part, last)
    return { component: name, environment: course.site.name, verify }
  })
}
