/**
 * The run as a tree of tasks: listr2 hosts it, a renderer of our own draws it.
 *
 * Boundary: a subscriber of the run's view; listr2 lives here and nowhere else. Order, retry, rollback and signals
 * are the engine's: every list is concurrent and each leaf does nothing but await the end of its node.
 *
 * Why not listr2's own renderer: it draws at every event, without a throttle, formats every task in each frame and
 * clips with repeated slices: five thousand concurrent tasks do not come to an end in minutes.
 *
 * Invariants:
 *  H1. The tree cannot end the process, fail the run or keep it waiting: a leaf's rejection stays in listr2.
 *  H2. Leaves stand in lists of at most `LIST` tasks, each with an abort signal of its own: listr2 adds a listener a
 *      task, and looks through all of a signal's listeners each time.
 *  H3. A list is made for what is seen: when one of its nodes is under way as a frame is due. A task costs listr2 about
 *      as much as a node costs the engine, and what begins and ends between two frames is never drawn.
 *  H4. One list a turn of the loop, so that ten thousand nodes that begin together do not hold it up.
 */
import type { Listr, ListrTask } from 'listr2'
import { type GroupView, isEnded, type NodeView, type RunView } from '../views/model.ts'
import { createNarrator } from '../views/narrator.ts'
import type { OutStream } from '../views/stream-writer.ts'
import { painterOf } from '../views/terminal-text.ts'
import { firstLine } from '../views/words.ts'
import { renderFrame } from './frame.ts'
import { FRAME, Screen } from './screen.ts'

export interface TaskListOptions {
  /** A terminal. */
  readonly stream: OutStream
  readonly color: boolean
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export interface TaskList {
  /** A line of ours that stays above the live part. */
  print(line: string): void
  /** Takes the live part away and prints what is left. Nothing is drawn afterwards. */
  stop(): Promise<void>
}

const LIST = 50

/** Draws the view's run, from how it stands now, until it is stopped. */
export async function startTaskList(view: RunView, options: TaskListOptions): Promise<TaskList> {
  const { Listr } = await import('listr2')
  const paint = painterOf(options)
  const narrator = createNarrator(view, { paint, names: 'place', detail: 'ends' })
  const screen = new Screen({
    stream: options.stream,
    draw: size => renderFrame(view, { ...size, now: options.now(), paint }),
    gather: () => narrator.flush(),
  })
  const ends = new Ends(view)
  const unsubscribe = view.subscribe(change => screen.print(narrator.tell(change)))
  const ended = new Tree(Listr, view, ends).run(screen)
  return {
    print: line => screen.print([...narrator.flush(), line]),
    async stop() {
      unsubscribe()
      ends.close()
      await ended
      await screen.stop()
    },
  }
}

/** Nodes that have no list yet. */
interface Piece {
  readonly nodes: readonly NodeView[]
  /** How many of them have not ended. */
  left: number
  readonly resolve: (seen: boolean) => void
}

/** Promises of things that the view will show: a node's end, a rollback's begin. */
class Ends {
  readonly #view: RunView
  readonly #nodes = new Map<NodeView, () => void>()
  readonly #pieces = new Map<NodeView, Piece>()
  readonly #timer: NodeJS.Timeout
  readonly #rollbacks: (() => void)[] = []
  readonly #unsubscribe: () => void
  #closed = false

  constructor(view: RunView) {
    this.#view = view
    this.#timer = setInterval(() => this.#look(), FRAME).unref()
    this.#unsubscribe = view.subscribe(change => {
      if (change.type !== 'event') return
      if (change.node !== null && isEnded(change.node.status)) this.#settle(change.node)
      if (change.event.type === 'rollback-planned') for (const resolve of this.#rollbacks.splice(0)) resolve()
    })
  }

  node(node: NodeView): Promise<void> {
    if (this.#closed || isEnded(node.status)) return Promise.resolve()
    return new Promise(resolve => this.#nodes.set(node, resolve))
  }

  /** Whether one of them is under way when a frame is due; false: all have ended unseen, or the view was closed. */
  seen(nodes: readonly NodeView[]): Promise<boolean> {
    const open = nodes.filter(node => !isEnded(node.status))
    if (this.#closed || open.length === 0) return Promise.resolve(false)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const piece = { nodes: open, left: open.length, resolve }
    for (const node of open) this.#pieces.set(node, piece)
    return promise
  }

  /** The rollback at this place, once it is planned; null: the view was closed before. */
  async rollback(place: number): Promise<GroupView | null> {
    while (!this.#closed && this.#view.state.rollbacks.length <= place) {
      await new Promise<void>(resolve => this.#rollbacks.push(resolve))
    }
    return this.#view.state.rollbacks[place] ?? null
  }

  close(): void {
    this.#closed = true
    this.#unsubscribe()
    clearInterval(this.#timer)
    for (const node of this.#nodes.keys()) this.#settle(node)
    for (const piece of this.#pieces.values()) piece.resolve(false)
    for (const resolve of this.#rollbacks.splice(0)) resolve()
  }

  #look(): void {
    if (this.#pieces.size === 0) return
    for (const node of this.#view.state.active) {
      const piece = this.#pieces.get(node)
      if (piece === undefined) continue
      for (const other of piece.nodes) this.#pieces.delete(other)
      piece.resolve(true)
    }
  }

  #settle(node: NodeView): void {
    this.#nodes.get(node)?.()
    this.#nodes.delete(node)
    const piece = this.#pieces.get(node)
    if (piece === undefined) return
    this.#pieces.delete(node)
    piece.left -= 1
    if (piece.left === 0) piece.resolve(false)
  }
}

type Task = ListrTask<unknown>

class Tree {
  readonly #Listr: typeof Listr
  readonly #view: RunView
  readonly #ends: Ends
  #turn: Promise<unknown> = Promise.resolve()

  constructor(listr: typeof Listr, view: RunView, ends: Ends) {
    this.#Listr = listr
    this.#view = view
    this.#ends = ends
  }

  async run(screen: Screen): Promise<void> {
    const tasks = [...this.#view.state.stages.map(stage => this.#group(stage)), this.#rollback(0)]
    const list = new this.#Listr<unknown, typeof ScreenRenderer>(tasks, {
      ...HOSTING,
      renderer: ScreenRenderer,
      rendererOptions: { screen },
    })
    await list.run()
  }

  #list(tasks: Task[]): Listr<unknown, 'silent'> {
    return new this.#Listr(tasks, { ...HOSTING, renderer: 'silent' })
  }

  #group(group: GroupView): Task {
    const nodes = group.nodes.filter(node => !node.hidden)
    const pieces = Array.from({ length: Math.ceil(nodes.length / LIST) }, (_, i) =>
      nodes.slice(i * LIST, (i + 1) * LIST),
    )
    return { title: group.name, task: () => this.#list(pieces.map(piece => this.#piece(piece))) }
  }

  #piece(nodes: readonly NodeView[]): Task {
    return {
      task: async () => {
        if (!(await this.#ends.seen(nodes))) return undefined
        this.#turn = this.#turn.then(() => new Promise(resolve => setImmediate(resolve)))
        await this.#turn
        return this.#list(nodes.filter(node => !isEnded(node.status)).map(node => this.#leaf(node)))
      },
    }
  }

  #leaf(node: NodeView): Task {
    return {
      title: node.title,
      task: async (_, task) => {
        await this.#ends.node(node)
        const { status } = node
        if (status.type === 'failed') throw new Error(firstLine(status.failure.message))
        if (status.type !== 'succeeded') task.skip(status.type)
      },
    }
  }

  /** A rollback is known when it is planned; each brings the place of the next. */
  #rollback(place: number): Task {
    return {
      task: async () => {
        const group = await this.#ends.rollback(place)
        return group === null ? undefined : this.#list([this.#group(group), this.#rollback(place + 1)])
      },
    }
  }
}

const HOSTING = { concurrent: true, exitOnError: false, registerSignalListeners: false } as const

/** What listr2 is given to draw with: it begins and ends with the list, and keeps its own time in between. */
class ScreenRenderer {
  static readonly nonTTY = true
  static readonly rendererOptions: { screen?: Screen } = {}
  static readonly rendererTaskOptions: Record<string, never> = {}
  readonly #screen: Screen | undefined

  constructor(_tasks: unknown, options: { screen?: Screen }) {
    this.#screen = options.screen
  }

  render(): void {
    this.#screen?.start()
  }

  /** The last frame is taken away by whoever started the list, once the last line is said. */
  end(): void {}
}
