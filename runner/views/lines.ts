/**
 * A run as plain lines, where there is no terminal to draw on: a file, a pipe, a CI log.
 *
 * Boundary: a subscriber of the run's view. Each line begins with the time since this view began.
 *
 * A log that says nothing for long looks like a process that hangs: after ten silent seconds a line says what
 * runs and what is waited for.
 */
import type { NodeView, RunView, RunViewState } from './model.ts'
import { endedOf } from './model.ts'
import { createNarrator } from './narrator.ts'
import { createStreamWriter, type OutStream } from './stream-writer.ts'
import { type Painter, padStart, plain } from './terminal-text.ts'
import { renderElapsed } from './time-text.ts'
import { attemptText, listed, tookText, untilText, wantedPeople } from './words.ts'

export interface LinesOptions {
  readonly stream: OutStream
  readonly paint: Painter
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Silence after which a line says what is going on, in milliseconds. */
  readonly heartbeat?: number
}

export interface LinesView {
  /** A line of ours between those of the run. */
  print(line: string): void
  stop(): Promise<void>
}

const HEARTBEAT = 10_000
/** Skipped nodes are gathered for this long before they are said. */
const GATHER = 100

/** Prints every change from now on. */
export function startLines(view: RunView, options: LinesOptions): LinesView {
  const { paint, now } = options
  const heartbeat = options.heartbeat ?? HEARTBEAT
  const writer = createStreamWriter(options.stream)
  const narrator = createNarrator(view, { paint, names: 'key', detail: 'all' })
  const began = now()
  let spokeAt = began
  const stamp = (line: string): string => `${paint.dim(padStart(renderElapsed(now() - began), 8))}  ${line}\n`
  const say = (lines: readonly string[]): void => {
    if (lines.length === 0) return
    spokeAt = now()
    writer.write(lines.map(stamp).join(''))
  }
  const unsubscribe = view.subscribe(change => {
    const lines = narrator.tell(change)
    if (change.type === 'event') return say(lines)
    spokeAt = now()
    writer.offer(lines.map(stamp).join(''))
  })
  const timer = setInterval(() => {
    say(narrator.flush())
    if (now() - spokeAt >= heartbeat && view.state.phase === 'running')
      say([heartbeatLine(view.state, now())])
  }, GATHER)
  timer.unref()
  return {
    print: line => say([...narrator.flush(), line]),
    stop() {
      clearInterval(timer)
      unsubscribe()
      say(narrator.flush())
      return writer.end()
    },
  }
}

/** `12 of 54 done; runs: staging/smoke (34 s); waits for: go-live/go-live (1 release-manager)` */
export function heartbeatLine(state: RunViewState, now: number): string {
  const active = [...state.active]
  const running = active.filter(({ status }) => status.type === 'running')
  const waiting = active.filter(({ status }) => status.type !== 'running')
  const parts = [
    `${endedOf(state.counts)} of ${state.counts.total} done`,
    running.length === 0 ? null : `runs: ${some(running, node => tookText(node, now))}`,
    waiting.length === 0 ? null : `waits for: ${some(waiting, waitText)}`,
  ]
  return `… ${parts.filter(part => part !== null).join('; ')}`
}

function some(nodes: readonly NodeView[], detail: (node: NodeView) => string): string {
  const named = nodes.slice(0, 5).map(node => `${plain(node.key)} (${detail(node)})`)
  return nodes.length > named.length
    ? `${named.join(', ')} and ${nodes.length - named.length} more`
    : listed(named)
}

function waitText(node: NodeView): string {
  const { status } = node
  if (status.type === 'waiting' && status.for === 'person')
    return `${wantedPeople(node)}${untilText(status.until)}`
  if (status.type === 'waiting') return untilText(status.until).trim()
  if (status.type === 'retrying')
    return `${attemptText(node)} failed, again${untilText(status.until).replace(' until', ' at')}`
  return status.type === 'uncertain' ? 'a person says whether it happened' : 'it was cut off'
}
