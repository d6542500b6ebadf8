/**
 * A queue of what may start, in plan order.
 *
 * Role: a binary heap by `order`, so that ties between ready nodes always go by plan order.
 */

export interface Ordered {
  readonly order: number
}

export class ReadyQueue<T extends Ordered> {
  readonly #heap: T[] = []

  get size(): number {
    return this.#heap.length
  }

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
