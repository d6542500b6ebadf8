/**
 * Whether the people that there are could fill an approval at all, each counting once.
 *
 * Boundary: pure. It does not know who will start the run, who then may not approve.
 */
import type { PlanApprover } from '../plan/plan.ts'

/** How many people of each role. */
type Asked = Readonly<Record<string, number>>

/**
 * The seats that stay empty however the people are placed, by role: one person sits on one seat only.
 * @returns null where all seats can be filled
 */
export function emptySeats(asked: Asked, approvers: readonly PlanApprover[]): readonly string[] | null {
  const seats = Object.entries(asked).flatMap(([role, count]) => Array.from({ length: count }, () => role))
  const taken = new Map<PlanApprover, number>()
  const place = (seat: number, tried: Set<PlanApprover>): boolean => {
    for (const person of approvers) {
      if (!person.roles.includes(seats[seat]!) || tried.has(person)) continue
      tried.add(person)
      const before = taken.get(person)
      // Whoever sits there moves, if another seat is free for them.
      if (before !== undefined && !place(before, tried)) continue
      taken.set(person, seat)
      return true
    }
    return false
  }
  const empty = seats.filter((_, seat) => !place(seat, new Set()))
  return empty.length === 0 ? null : [...new Set(empty)]
}
