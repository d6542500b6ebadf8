/**
 * Definitions of a given size, in the public language.
 */

/** How many steps stand side by side. */
const WIDTH = 19

/**
 * A module of a release of about `nodes` nodes: layers of steps, with a join before each, in stages of a thousand.
 * `run` is the steps' function: it sees the step's number as `n`.
 */
export const layered = (nodes: number, run = 'async () => {}'): string =>
  `
import { release } from 'release-as-code'

const width = ${WIDTH}
const layers = ${Math.round(nodes / (WIDTH + 1))}
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const step = (n: number) => ${run}

const stages = numbers(0, Math.ceil(layers / 50))
export default stages.reduce((made: any, stage) =>
  made.stage(\`stage-\${stage}\`, (s: any) =>
    s.each(numbers(stage * 50, Math.min(stage * 50 + 50, layers)), (s: any, layer: number) =>
      s.parallel((s: any) =>
        s.each(numbers(layer * width, (layer + 1) * width), (s: any, n: number) =>
          s.step(\`step-\${n}\`, step(n), { undo: 'not-needed', idempotent: true }))))),
  release('big', { version: '1.0.0' }))
`
