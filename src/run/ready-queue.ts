/**
 * A queue of what may start, in plan order.
 *
 * Role: binary heaps by `order`, so that ties between ready nodes always go by plan order: one of those that take a place
 * and one of those that do not, which nobody holds up when all places are taken.
 */

export interface Ordered {
  readonly order: number
}

export class ReadyQueue<T extends Ordered> {
  readonly #takesPlace: (item: T) => boolean
  readonly #placed = new Heap<T>()
  readonly #free = new Heap<T>()

  constructor(takesPlace: (item: T) => boolean) {
    this.#takesPlace = takesPlace
  }

  push(item: T): void {
    this.#heapOf(item).push(item)
  }

  /** The first in plan order; where no place is left, the first of those that need none. */
  peek({ placesLeft }: { readonly placesLeft: boolean }): T | undefined {
    const free = this.#free.peek()
    const placed = placesLeft ? this.#placed.peek() : undefined
    if (free === undefined || placed === undefined) return free ?? placed
    return free.order <= placed.order ? free : placed
  }

  /** Takes what was peeked at. */
  take(item: T): void {
    this.#heapOf(item).pop()
  }

  #heapOf(item: T): Heap<T> {
    return this.#takesPlace(item) ? this.#placed : this.#free
  }
}

class Heap<T extends Ordered> {
  readonly #heap: T[] = []

  peek(): T | undefined {
    return this.#heap[0]
  }

  push(item: T): void {
    const heap = this.#heap
    let at = heap.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.order <= item.order) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = item
  }

  /** Takes the first in plan order. */
  pop(): T | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    this.#sink(last)
    return first
  }

  #sink(item: T): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.order < heap[child]!.order) child += 1
      if (heap[child]!.order >= item.order) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = item
  }
}
