/**
 * Makes a case that breaks a law as small as it gets while it breaks the same law, and prints it as a test.
 */

import { Broken } from './broken.ts'
import type { Case } from './case.ts'
import { type Flaw, play } from './play.ts'
import type { Sketch, SketchNode } from './sketch.ts'

/** How many smaller cases are tried at most. */
const TRIES = 10_000
/** How many other moments of a crash are tried of one case. */
const MOMENTS = 24

export interface Shrunk {
  readonly kase: Case
  readonly error: Broken
}

/** `flaw`: the defect that was put in, if one was. */
export async function shrink(kase: Case, error: Broken, flaw?: Flaw): Promise<Shrunk> {
  let best: Shrunk = { kase, error }
  let open = [...smallerThan(kase)]
  // Where one was smaller it goes on from there: what was tried before it would mostly fail again.
  for (let tries = 0, at = 0, failed = 0; failed < open.length && tries < TRIES; tries += 1) {
    const candidate = open[at % open.length]!
    const broken = await brokenBy(candidate, flaw)
    if (broken?.law === error.law) {
      best = { kase: candidate, error: broken }
      open = [...smallerThan(candidate)]
      at %= Math.max(1, open.length)
      failed = 0
    } else {
      at += 1
      failed += 1
    }
  }
  return best
}

async function brokenBy(kase: Case, flaw: Flaw | undefined): Promise<Broken | null> {
  try {
    await play(kase, flaw)
    return null
  } catch (error) {
    return error instanceof Broken ? error : null
  }
}

function* smallerThan(kase: Case): Generator<Case> {
  const found = [...candidates(kase)].filter(candidate => candidate !== kase)
  yield* found
  for (const candidate of found) {
    if (candidate.sketch.nodes.length < kase.sketch.nodes.length) yield* otherMoments(candidate)
  }
}

/** A runner dies at the n-th of its fault points: with nodes less the same moment has another number. */
function* otherMoments(kase: Case): Generator<Case> {
  for (const [runner, moment] of kase.crashes.entries()) {
    const step = Math.max(1, Math.floor(moment / MOMENTS))
    for (let at = 1; at < moment; at += step) yield { ...kase, crashes: kase.crashes.with(runner, at) }
  }
}

const without = <T>(list: readonly T[], index: number): readonly T[] => list.filter((_, i) => i !== index)

function* candidates(kase: Case): Generator<Case> {
  const { sketch } = kase
  for (const { name } of sketch.stages) yield withoutNodes(kase, node => node.key.startsWith(`${name}/`))
  for (const prepare of sketch.nodes.filter(node => node.kind === 'prepare')) {
    yield withoutNodes(kase, node => node.key.startsWith(prepare.key.slice(0, -'prepare'.length)))
  }
  for (const one of sketch.nodes)
    if (one.kind !== 'prepare' && one.weight !== 0) yield withoutNodes(kase, node => node === one)
  for (const list of ['words', 'interrupts', 'acts'] as const) {
    for (let i = 0; i < kase[list].length; i += 1)
      yield { ...kase, [list]: without<unknown>(kase[list], i) } as Case
  }
  for (const key of Object.keys(kase.faults)) {
    const { [key]: list, ...rest } = kase.faults
    yield { ...kase, faults: rest }
    if (list!.length > 1) yield { ...kase, faults: { ...rest, [key]: list!.slice(0, -1) } }
  }
  for (let i = 0; i < kase.crashes.length; i += 1) {
    if (i === kase.crashes.length - 1) yield { ...kase, crashes: kase.crashes.slice(0, -1) }
    if (kase.crashes[i]! > 0) yield { ...kase, crashes: kase.crashes.with(i, 0) }
  }
  if (kase.only !== null) yield { ...kase, only: null }
  for (const smaller of simpler(sketch)) yield { ...kase, sketch: smaller }
}

function withoutNodes(kase: Case, gone: (node: SketchNode) => boolean): Case {
  let rest = kase
  for (const { key } of kase.sketch.nodes.filter(gone)) {
    rest = { ...rest, ...withoutNode(rest, rest.sketch.nodes.find(node => node.key === key)!) }
  }
  return rest
}

/** Whoever waited for it waits for what it waited for. */
function withoutNode(kase: Case, gone: SketchNode): Pick<Case, 'sketch' | 'words' | 'faults'> {
  const splice = (keys: readonly string[], instead: readonly string[]): readonly string[] => [
    ...new Set(keys.flatMap(key => (key === gone.key ? instead : [key]))),
  ]
  const nodes = kase.sketch.nodes
    .filter(node => node !== gone)
    .map(node => {
      const needs = splice(node.needs, gone.needs)
      if (node.until === gone.key) {
        const { until: _, ...ending } = node
        return { ...ending, needs, after: splice(node.after, gone.after).filter(key => !needs.includes(key)) }
      }
      return { ...node, needs, after: splice(node.after, gone.after).filter(key => !needs.includes(key)) }
    })
  return {
    sketch: { ...kase.sketch, nodes },
    words: kase.words.filter(word => word.to !== gone.key),
    faults: Object.fromEntries(
      Object.entries(kase.faults).filter(([key]) => key !== gone.key && key !== `undo ${gone.key}`),
    ),
  }
}

function* simpler(sketch: Sketch): Generator<Sketch> {
  if (sketch.concurrency > 1) yield { ...sketch, concurrency: sketch.concurrency - 1 }
  for (let i = 0; i < sketch.nodes.length; i += 1) {
    const node = sketch.nodes[i]!
    for (const trait of ['retries', 'redo', 'mild', 'undo'] as const) {
      if (node[trait] === undefined || (trait === 'undo' && node.kind !== 'step')) continue
      const { [trait]: _, ...plain } = node
      yield { ...sketch, nodes: sketch.nodes.with(i, plain) }
    }
    for (const list of ['needs', 'after'] as const) {
      if (node.component !== undefined && list === 'needs') continue
      for (let j = 0; j < node[list].length; j += 1) {
        yield { ...sketch, nodes: sketch.nodes.with(i, { ...node, [list]: without(node[list], j) }) }
      }
    }
  }
  const used = new Set(sketch.nodes.map(node => node.component))
  const components = sketch.components.filter(({ name }) => used.has(name))
  if (components.length < sketch.components.length) {
    const names = new Set(components.map(({ name }) => name))
    yield {
      ...sketch,
      components: components.map(component => ({
        ...component,
        needs: component.needs.filter(n => names.has(n)),
      })),
    }
  }
  const stages = sketch.stages.filter(({ name }) =>
    sketch.nodes.some(({ key }) => key.startsWith(`${name}/`)),
  )
  if (stages.length < sketch.stages.length) {
    const names = new Set(stages.map(({ name }) => name))
    yield { ...sketch, stages: stages.map(s => ({ ...s, after: s.after.filter(n => names.has(n)) })) }
  }
}

/** Ready to be pasted into test/histories/simulated.test.ts. */
export const asTest = (kase: Case, error: Broken): string =>
  `it(${JSON.stringify(error.law)}, () =>\n  holds(${JSON.stringify(kase)}))\n`
